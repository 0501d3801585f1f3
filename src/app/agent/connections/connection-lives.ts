/** For which time an agent can answer, by lives of an Envoy: joined until it is reported, and never over a gap. Pure. */

import type { CountedCoverage } from "../../../core/evidence/port-account.ts";

export interface CoveredLife {
  /** When it began. */
  readonly epochMs: number;
  readonly coverage: readonly CountedCoverage[];
}

/** While no server is there. What is dropped of an Envoy that crashes again and again is a gap. */
const livesMax = 32;
const spansOfPortMax = 32;
/** Of all ports of a life. */
const spansMax = 4_096;

export class ConnectionLives {
  /** By epoch, and by port. */
  readonly #lives = new Map<number, Map<number, readonly CountedCoverage[]>>();

  add({ epochMs, coverage }: CoveredLife): void {
    if (coverage.length === 0) return;
    const ports = this.#lives.get(epochMs) ?? new Map<number, readonly CountedCoverage[]>();
    this.#lives.set(epochMs, ports);
    for (const span of coverage) {
      const most = Math.min(spansOfPortMax, Math.ceil(spansMax / Math.max(1, ports.size)));
      ports.set(span.port, withSpan(ports.get(span.port) ?? [], span).slice(-most));
    }
    while (this.#lives.size > livesMax || (this.#lives.size > 1 && this.#spans() > spansMax)) {
      const [oldest = epochMs] = this.#lives.keys();
      this.#lives.delete(oldest);
    }
  }

  /** All since the last time, in the order in which they began. */
  take(): CoveredLife[] {
    const lives = Array.from(this.#lives, ([epochMs, ports]) => {
      return { epochMs, coverage: [...ports.values()].flat() };
    });
    this.#lives.clear();
    return lives.toSorted((a, b) => a.epochMs - b.epochMs);
  }

  #spans(): number {
    let count = 0;
    for (const ports of this.#lives.values())
      for (const spans of ports.values()) count += spans.length;
    return count;
  }
}

/** In their order; those that touch are one. */
function withSpan(
  spans: readonly CountedCoverage[],
  span: CountedCoverage,
): readonly CountedCoverage[] {
  const all = [...spans, span].toSorted((a, b) => a.sinceMs - b.sinceMs);
  const apart: CountedCoverage[] = [];
  for (const each of all) {
    const last = apart.at(-1);
    if (last === undefined || each.sinceMs > last.untilMs) apart.push(each);
    else apart[apart.length - 1] = joined(last, each);
  }
  return apart;
}

function joined(first: CountedCoverage, second: CountedCoverage): CountedCoverage {
  const last = second.untilMs >= first.untilMs ? second : first;
  return {
    port: first.port,
    sinceMs: first.sinceMs,
    untilMs: last.untilMs,
    lostUnmeshed: first.lostUnmeshed + second.lostUnmeshed,
    lostMeshed: first.lostMeshed + second.lostMeshed,
    openUnnamed: last.openUnnamed,
    openMeshed: last.openMeshed,
    endedAtSince: first.endedAtSince,
    endedAtUntil: last.endedAtUntil,
    meshedAtSince: first.meshedAtSince,
    meshedAtUntil: last.meshedAtUntil,
  };
}
