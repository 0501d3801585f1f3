/**
 * For which time the server has acknowledged that it knows all connections of each Envoy: another life of the agent goes on from there.
 * Pure.
 */

import { policyKey } from "../../../core/policy/policy-report.ts";
import type { CountedConnections } from "./connection-recorder.ts";
import { ResumedLife, type AcknowledgedLife } from "./resumed-life.ts";

/** Those that were acknowledged last. */
const proxiesMax = 4_096;

export class AcknowledgedLives {
  /** By `policyKey`; whoever was acknowledged last is last. */
  readonly #lives: Map<string, AcknowledgedLife>;
  /** When something was acknowledged last. */
  #offsetMs = Infinity;

  /** @param stored of another life of the agent */
  constructor(stored: Iterable<readonly [key: string, life: AcknowledgedLife]> = []) {
    this.#lives = new Map(stored);
  }

  get all(): readonly (readonly [key: string, life: AcknowledgedLife])[] {
    return [...this.#lives];
  }

  resumed(key: string): ResumedLife | undefined {
    const life = this.#lives.get(key);
    return life && new ResumedLife(life);
  }

  /** @param offsetMs `clockOffsetMs` @returns whether anything is to be remembered of it */
  acknowledged(all: readonly CountedConnections[], offsetMs?: number): boolean {
    const covered = all.filter(({ coverage }) => coverage.length > 0);
    // The clock may have been set since it was seen, and before it was acknowledged.
    const seenOffsetMs = offsetMs === undefined ? undefined : Math.min(this.#offsetMs, offsetMs);
    this.#offsetMs = offsetMs ?? Infinity;
    for (const connections of covered) this.#acknowledge(connections, seenOffsetMs);
    return covered.length > 0;
  }

  #acknowledge(connections: CountedConnections, offsetMs: number | undefined): void {
    const { epochMs, coverage } = connections;
    const key = policyKey(connections);
    const before = this.#lives.get(key);
    // What is said again of an older life comes later.
    if (before !== undefined && before.epochMs > epochMs) return;
    const known = before?.epochMs === epochMs ? before.ports : [];
    const ports = new Map(known.map((each) => [each.port, each]));
    for (const { port, untilMs, endedAtUntil: ended, meshedAtUntil: endedMeshed } of coverage) {
      const isLater = untilMs >= (ports.get(port)?.untilMs ?? 0);
      if (isLater) ports.set(port, { port, untilMs, ended, endedMeshed });
    }
    this.#lives.delete(key);
    const clock = offsetMs === undefined ? undefined : { offsetMs: Math.round(offsetMs) };
    this.#lives.set(key, { epochMs, ports: [...ports.values()], ...clock });
    const [oldest = key] = this.#lives.keys();
    if (this.#lives.size > proxiesMax) this.#lives.delete(oldest);
  }
}
