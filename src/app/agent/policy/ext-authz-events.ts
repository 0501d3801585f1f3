/**
 * Who was kept out, in the log: one line for each proxy, port and reason in a minute, with how many they were. Whoever asks chooses the port
 * and the proxy's name, so a workload's lines are bounded, and those of all; the rest is counted in the next line.
 */

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
/** Lines in that time. */
const linesMax = 256;
const linesOfWorkloadMax = 16;
/** Of those of this minute and of the last. */
const kindsMax = 2 * linesMax;
const textLengthMax = 256;

export class ExtAuthzEvents {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  /** By proxy, port and reason; the one that was said last is last. */
  readonly #said = new Map<string, { atMs: number; since: number }>();
  /** Lines of this minute, by workload. */
  #lines = new Map<string, number>();
  #linesOfAll = 0;
  #minuteMs = -Infinity;
  /** Whose kind has had no line, or one so long ago that it is forgotten. */
  #unsaid = 0;

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  denied(denial: Denial): void {
    const { reason, spiffeId, port, error } = denial;
    const proxyId = denial.proxyId?.slice(0, textLengthMax);
    const principal = denial.principal?.slice(0, textLengthMax);
    const key = JSON.stringify([reason, spiffeId, proxyId, port]);
    const known = this.#said.get(key);
    const nowMs = this.#nowMs();
    const isQuiet = known !== undefined && Math.abs(nowMs - known.atMs) < quietMs;
    if (isQuiet || !this.#takeLine(spiffeId ?? "", nowMs)) {
      if (known === undefined) this.#unsaid += 1;
      else known.since += 1;
      return;
    }
    this.#said.delete(key);
    this.#said.set(key, { atMs: nowMs, since: 0 });
    for (const [oldest, { since }] of this.#said) {
      if (this.#said.size <= kindsMax) break;
      this.#said.delete(oldest);
      this.#unsaid += since;
    }
    const count = (known?.since ?? 0) + 1;
    const fields = { event: "call-denied", reason, spiffeId, proxyId, port, error, principal };
    this.#log.warn(
      { ...fields, count, unsaid: this.#unsaid },
      "a caller was kept out by the policy",
    );
    this.#unsaid = 0;
  }

  /** @returns whether there is one left */
  #takeLine(workload: string, nowMs: number): boolean {
    // The clock may be set back.
    if (Math.abs(nowMs - this.#minuteMs) >= quietMs) {
      this.#minuteMs = nowMs;
      this.#lines = new Map();
      this.#linesOfAll = 0;
    }
    const lines = this.#lines.get(workload) ?? 0;
    if (lines >= linesOfWorkloadMax || this.#linesOfAll >= linesMax) return false;
    this.#lines.set(workload, lines + 1);
    this.#linesOfAll += 1;
    return true;
  }
}
