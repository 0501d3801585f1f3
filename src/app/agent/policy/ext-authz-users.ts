/** The Envoys that ask `ext_authz`, each a user of the feed while it asks now and then. */

import type { Labels } from "../../../core/resources/resource.ts";
import { nodeIdLengthMax } from "../proxy-evidence.ts";
import { ExtAuthzUser } from "./ext-authz-user.ts";
import type { PolicyFeed, PolicyProxyName } from "./policy-feed.ts";

const usersMax = 2_048;
/** Of one workload: whoever may ask for it must not take the others' places. */
const usersOfWorkloadMax = 64;
const idleMs = 600_000;
const sweepMs = 60_000;

export class ExtAuthzUsers implements Disposable {
  readonly #feed: PolicyFeed;
  readonly #nowMs: () => number;
  /** By workload, then by node id. */
  readonly #workloads = new Map<string, Map<string, ExtAuthzUser>>();
  #count = 0;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(feed: PolicyFeed, nowMs: () => number) {
    this.#feed = feed;
    this.#nowMs = nowMs;
  }

  /** @returns undefined where there is no place for another */
  find(name: PolicyProxyName, labels: Labels): ExtAuthzUser | undefined {
    const { proxyId, spiffeId = "" } = name;
    const users = this.#workloads.get(spiffeId) ?? new Map<string, ExtAuthzUser>();
    const known = users.get(proxyId);
    if (known !== undefined) {
      known.usedAtMs = this.#nowMs();
      return known;
    }
    if (this.#count >= usersMax || users.size >= usersOfWorkloadMax) return undefined;
    if (proxyId === "" || proxyId.length > nodeIdLengthMax) return undefined;
    const user = new ExtAuthzUser(this.#feed, name, labels, this.#nowMs());
    this.#workloads.set(spiffeId, users.set(proxyId, user));
    this.#count += 1;
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs).unref();
    return user;
  }

  [Symbol.dispose](): void {
    this.#closeAll(() => true);
  }

  #sweep(): void {
    const nowMs = this.#nowMs();
    // A clock that was set back must not keep anybody for ever.
    this.#closeAll(({ usedAtMs }) => Math.abs(nowMs - usedAtMs) >= idleMs);
  }

  #closeAll(isOver: (user: ExtAuthzUser) => boolean): void {
    for (const [spiffeId, users] of this.#workloads) {
      for (const [proxyId, user] of users) {
        if (!isOver(user)) continue;
        users.delete(proxyId);
        this.#count -= 1;
        user[Symbol.dispose]();
      }
      if (users.size === 0) this.#workloads.delete(spiffeId);
    }
    if (this.#count > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
