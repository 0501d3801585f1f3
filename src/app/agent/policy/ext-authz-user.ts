/**
 * The policy of one Envoy that only asks `ext_authz`. It is in force as soon as it is here, so it is acknowledged at once.
 */

import type { Labels } from "../../../core/resources/resource.ts";
import type {
  GivenPolicy,
  OpenPolicy,
  PolicyFeed,
  PolicyProxyName,
  PolicyUser,
} from "./policy-feed.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";

type Waiting = (policy: ProxyPolicy | undefined) => void;

const waitingMax = 256;

export class ExtAuthzUser implements Disposable, PolicyUser {
  readonly proxy: PolicyProxyName;
  readonly labels: Labels;
  readonly hasListeners = false;
  readonly #open: OpenPolicy;
  readonly #waiting = new Set<Waiting>();
  #policy: ProxyPolicy | undefined;
  usedAtMs: number;

  constructor(feed: PolicyFeed, proxy: PolicyProxyName, labels: Labels, nowMs: number) {
    this.proxy = proxy;
    this.labels = labels;
    this.usedAtMs = nowMs;
    this.#open = feed.open(this);
    const { given } = this.#open;
    if (given !== undefined) this.onPolicy(given);
  }

  onPolicy({ digest, policy }: GivenPolicy): void {
    this.#policy = policy;
    this.#settle(policy);
    this.#open.acked(digest);
  }

  /**
   * The first one comes a moment after the first question, unless there is no server: somebody's first request waits for it.
   * @returns undefined when none has come in time, or too many wait
   */
  async policy(waitMs: number): Promise<ProxyPolicy | undefined> {
    if (this.#policy !== undefined || this.#waiting.size >= waitingMax) return this.#policy;
    return new Promise((resolve) => {
      const settle = (policy: ProxyPolicy | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(policy);
      };
      const timer = setTimeout(() => settle(undefined), waitMs).unref();
      this.#waiting.add(settle);
    });
  }

  [Symbol.dispose](): void {
    this.#settle(undefined);
    this.#open.close();
  }

  #settle(policy: ProxyPolicy | undefined): void {
    for (const settle of this.#waiting) settle(policy);
  }
}
