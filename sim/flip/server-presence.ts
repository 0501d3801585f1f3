/** Who is there, as a simulated server knows it: policy's agents tell of themselves, and evidence keeps which there were. */

import type { Reporter } from "../../src/core/roll/evidence.ts";
import { spiffeIdOf } from "./mesh-objects.ts";
import type { SaidPolicy } from "./pod-talk.ts";
import type { ServerEvidence } from "./server-evidence.ts";
import type { ServerPolicy } from "./server-policy.ts";
import { policyProxy } from "./told-proxy.ts";

export interface PresenceOf {
  readonly policy: ServerPolicy;
  readonly evidence: ServerEvidence;
  readonly hasCertificate: (name: string) => boolean;
  /** It does not come back. */
  readonly end: (name: string) => void;
}

export class ServerPresence {
  readonly #of: PresenceOf;

  constructor(of: PresenceOf) {
    this.#of = of;
  }

  /** @param sent how many policies on its stream */
  heard(name: string, said: SaidPolicy, sent: number): void {
    const { policy, evidence } = this.#of;
    const isNew = policy.report(reporterOf(name), said, sent);
    const told = policy.told.get(name);
    if (isNew && told !== undefined) evidence.members.added(policyProxy(told));
  }

  left(name: string): void {
    const { policy, evidence } = this.#of;
    const told = policy.remove(name);
    if (told !== undefined) evidence.members.removed(policyProxy(told));
  }

  /** Whoever is away, and has no certificate any more, does not come back. */
  look(): void {
    const { policy, evidence, hasCertificate, end } = this.#of;
    for (const [name, { isConnected }] of policy.told) {
      if (!isConnected && !hasCertificate(name)) end(name);
    }
    for (const name of policy.expected.keys()) {
      if (!hasCertificate(name)) policy.remove(name);
    }
    evidence.members.look((spiffeId) => !hasCertificate(spiffeId.split("/").at(-1) ?? ""));
  }
}

export function reporterOf(name: string): Reporter {
  return { spiffeId: spiffeIdOf(name), agentId: name };
}
