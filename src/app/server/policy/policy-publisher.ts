/**
 * From what is to hold to what each proxy is told: the index says what it is to do, the rollout what of it it may be told now. All that
 * changes within one turn of the event loop is decided at once.
 */

import type { PolicyIndex } from "../../../core/policy/policy-index.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { sameValue } from "../../../core/policy/same-value.ts";
import type { Rollout } from "../../../core/policy/rollout.ts";
import {
  encodePolicySnapshots,
  type PolicyAssignment,
} from "../../../edge/rpc/policy-snapshot-messages.ts";
import { reportedPolicyBytesMax } from "../../../edge/rpc/policy-report-messages.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { encodedPolicy } from "./encoded-policies.ts";
import type { PolicyProxies } from "./policy-proxies.ts";
import { reportOf, type PolicyProxy } from "./policy-proxy.ts";

export interface PolicyPublisherDependencies {
  readonly index: PolicyIndex;
  readonly rollout: Rollout;
  readonly proxies: PolicyProxies;
  /** It has more than a message can carry, and goes on with what it has. */
  readonly tooLarge: (proxy: PolicyProxy, octets: number) => void;
  /** Whether it is known who is there: else what each would be told is less than it has. */
  readonly isKnown: () => boolean;
}

/** So that a change of everything leaves the event loop to others in between. */
const pushesPerTurn = 200;

export class PolicyPublisher {
  readonly #dependencies: PolicyPublisherDependencies;
  #isScheduled = false;
  #isHeld = false;

  constructor(dependencies: PolicyPublisherDependencies) {
    this.#dependencies = dependencies;
  }

  /** Something has changed. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#publish();
    });
  }

  /** What was held back is tried again. */
  look(): void {
    if (this.#isHeld) this.schedule();
  }

  #publish(): void {
    const { index, rollout, proxies, isKnown } = this.#dependencies;
    this.#isHeld = !isKnown();
    if (this.#isHeld) return;
    for (const [key, desired] of index.takeChanged()) {
      rollout.target(key, { desired, address: index.addressOf(key) });
    }
    const pushes = rollout.takePushes(pushesPerTurn);
    const assignments = new Map<Session, PolicyAssignment[]>();
    for (const { key, policy } of pushes) {
      const proxy = proxies.get(key);
      if (proxy?.session === undefined) continue;
      const assignment = this.#assign(proxy, policy);
      if (assignment === undefined) continue;
      const all = assignments.get(proxy.session) ?? [];
      assignments.set(proxy.session, all);
      all.push(assignment);
    }
    for (const [{ call }, all] of assignments) {
      for (const message of encodePolicySnapshots(all)) call.write(message);
    }
    if (pushes.length === pushesPerTurn) this.schedule();
  }

  #assign(proxy: PolicyProxy, policy: ProxyPolicy): PolicyAssignment | undefined {
    const isKnown = proxy.tooLarge !== undefined && sameValue(proxy.tooLarge, policy);
    const octets = isKnown ? undefined : encodedPolicy(policy).octets;
    if (octets !== undefined && octets.length <= reportedPolicyBytesMax) {
      const { proxyId, spiffeId } = proxy.said;
      this.#dependencies.proxies.sends(proxy, policy);
      proxy.tooLarge = undefined;
      return { proxyId, spiffeId, octets };
    }
    this.#refuse(proxy, policy);
    if (octets !== undefined) this.#dependencies.tooLarge(proxy, octets.length);
    return undefined;
  }

  /** As if it had refused it: it has not been sent. */
  #refuse(proxy: PolicyProxy, policy: ProxyPolicy): void {
    proxy.sent = undefined;
    proxy.refused = policy;
    proxy.tooLarge = policy;
    this.#dependencies.rollout.reported(proxy.identity.key, reportOf(proxy));
  }
}
