/** For which time an agent can answer for a port, what of it was lost, and whose the open connections are. */

import type { PortCoverage } from "./connection.ts";
import type { PortCounts, ToldEnd } from "./connection-counts.ts";
import { endedCounts, type EndedCounts } from "./counted-flush.ts";
import type { NamedConnections } from "./named-connections.ts";
import { PortLosses } from "./port-losses.ts";
import { PortOpen } from "./port-open.ts";

/** With what tells whether anything happened between two agents of one Envoy, where neither of them has seen it. */
export interface CountedCoverage extends PortCoverage {
  /** Connections without mTLS that had ended by then, by Envoy's counters. */
  readonly endedAtSince: number;
  readonly endedAtUntil: number;
  /** The same of those with mTLS. */
  readonly meshedAtSince: number;
  readonly meshedAtUntil: number;
}

interface Moment {
  readonly ms: number;
  readonly ended: EndedCounts;
}

/** Nobody takes them while no server is there. Of a clock that is set again and again the older ones are a gap. */
const apartMax = 32;

export class PortAccount {
  readonly #port: number;
  readonly #losses: PortLosses;
  readonly #open: PortOpen;
  #since: Moment;
  #until: Moment;
  /** Those before, by the time that a clock says that has been set since. */
  #apart: CountedCoverage[] = [];
  #lost = { unmeshed: 0, meshed: 0 };

  /**
   * @param counts of what nobody has to tell any more, at `beginMs`
   * @param sinceMs nothing without mTLS can have been missed since
   */
  constructor(
    port: number,
    named: NamedConnections,
    counts: PortCounts,
    { beginMs, sinceMs }: { readonly beginMs: number; readonly sinceMs: number },
  ) {
    this.#port = port;
    this.#losses = new PortLosses(named, counts, beginMs);
    this.#open = new PortOpen(named);
    this.#since = { ms: sinceMs, ended: endedCounts(counts) };
    this.#until = this.#since;
  }

  tell(end: ToldEnd): void {
    this.#losses.tell(end);
  }

  /** @param isApart the clock was set forward since the last one */
  flush(takenMs: number, counts: PortCounts, isApart: boolean): void {
    this.#losses.count(takenMs, counts, isApart);
    this.#settle(false);
  }

  clockSetBack(nowMs: number): void {
    this.#open.clockSetBack();
    this.#losses.clockSetBack(nowMs);
  }

  /** No flush will come any more. */
  end(): void {
    this.#settle(true);
    this.#open.end();
  }

  /** Since the last time. */
  take(): CountedCoverage[] {
    const span = this.#span();
    const taken = span === undefined ? this.#apart : [...this.#apart, span];
    this.#since = this.#until;
    this.#apart = [];
    return taken;
  }

  /** @returns undefined where there is no more to answer for */
  #span(): CountedCoverage | undefined {
    const [since, until] = [this.#since, this.#until];
    if (until.ms <= since.ms) return undefined;
    const { unmeshed, meshed } = this.#losses;
    const before = this.#lost;
    this.#lost = {
      unmeshed: Math.max(before.unmeshed, unmeshed),
      meshed: Math.max(before.meshed, meshed),
    };
    return {
      port: this.#port,
      sinceMs: since.ms,
      untilMs: until.ms,
      lostUnmeshed: this.#lost.unmeshed - before.unmeshed,
      lostMeshed: this.#lost.meshed - before.meshed,
      openUnnamed: this.#open.unnamed,
      openMeshed: this.#open.meshed,
      endedAtSince: since.ended.unmeshed,
      endedAtUntil: until.ended.unmeshed,
      meshedAtSince: since.ended.meshed,
      meshedAtUntil: until.ended.meshed,
    };
  }

  /** A clock that was set has passed over some time, or goes through it again. */
  #part(from: Moment): void {
    // What it goes through again is covered then.
    if (from.ms < this.#until.ms) this.#until = { ...this.#until, ms: from.ms };
    const span = this.#span();
    if (span !== undefined) this.#apart = [...this.#apart, span].slice(-apartMax);
    [this.#since, this.#until] = [from, from];
  }

  #settle(isOver: boolean): void {
    for (const flush of this.#losses.settled(isOver)) {
      const { takenMs: ms, ended } = flush;
      if (flush.isApart || ms < this.#until.ms) this.#part({ ms, ended });
      else this.#until = { ms, ended };
      this.#open.settled(flush);
    }
  }
}
