/** Who was kept out, in the log: one line for each proxy, port and reason in a minute, with how many they were. */

import type { AuthzRefusal } from "../../../core/policy/authz-decision.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";

export type DenialReason =
  | AuthzRefusal
  /** It does not say which port is meant. */
  | "malformed"
  /** Whose Envoy asks is not known, or not yet. */
  | "unknown-workload"
  /** The workload has several Envoys, or none that is known, and this one does not say which it is. */
  | "unnamed-proxy"
  | "too-many-proxies"
  /** By a fault of the agent's own. */
  | "not-decided";

export interface Denial {
  readonly reason: DenialReason;
  readonly spiffeId: string | undefined;
  readonly proxyId: string | undefined;
  readonly port: number | undefined;
  readonly principal: string | undefined;
  /** Why it was not decided. */
  readonly error?: unknown;
}

const quietMs = 60_000;
const kindsMax = 1_024;
const principalLengthMax = 256;

export class ExtAuthzEvents {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  /** By proxy, port and reason; the one that was said last is last. */
  readonly #said = new Map<string, { atMs: number; since: number }>();

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  denied({ reason, spiffeId, proxyId, port, principal, error }: Denial): void {
    const key = JSON.stringify([reason, spiffeId, proxyId, port]);
    const known = this.#said.get(key);
    const nowMs = this.#nowMs();
    if (known !== undefined && Math.abs(nowMs - known.atMs) < quietMs) {
      known.since += 1;
      return;
    }
    this.#said.delete(key);
    this.#said.set(key, { atMs: nowMs, since: 0 });
    for (const oldest of this.#said.keys()) {
      if (this.#said.size > kindsMax) this.#said.delete(oldest);
    }
    const fields = { event: "call-denied", reason, spiffeId, proxyId, port, error };
    const count = (known?.since ?? 0) + 1;
    const who = principal?.slice(0, principalLengthMax);
    this.#log.warn({ ...fields, principal: who, count }, "a caller was kept out by the policy");
  }
}
