/** For which time an agent can answer for a port, what of it was lost, and whose the open connections are. */

import type { LedgerSnapshot } from "./chain-ledger.ts";
import { isPlainChain } from "./chain-names.ts";
import type { PortCoverage } from "./connection.ts";
import type { PortCounts, ToldEnd } from "./connection-counts.ts";
import { endedCounts, type CountedFlush, type EndedCounts } from "./counted-flush.ts";
import type { NamedConnections } from "./named-connections.ts";
import { PortLosses } from "./port-losses.ts";

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

/** What is wrong near a flush is wrong in most of so many only if it is really so. */
const flushesLooked = 3;

export class PortAccount {
  readonly #port: number;
  readonly #named: NamedConnections;
  readonly #losses: PortLosses;
  #since: Moment;
  #until: Moment;
  #last: Moment;
  #lost = { unmeshed: 0, meshed: 0 };
  #before: CountedFlush | undefined;
  /** Of the last flushes, the newest first. */
  #unnamed: readonly number[] = [];
  /** By chain: at how many flushes in a row fewer were open than are known. */
  readonly #tooMany = new Map<string, number>();

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
    this.#named = named;
    this.#losses = new PortLosses(named, counts, beginMs);
    this.#since = { ms: sinceMs, ended: endedCounts(counts) };
    [this.#until, this.#last] = [this.#since, this.#since];
  }

  tell(end: ToldEnd): void {
    this.#losses.tell(end);
  }

  flush(takenMs: number, counts: PortCounts): void {
    this.#losses.count(takenMs, counts);
    this.#settle(false);
  }

  clockSetBack(nowMs: number): void {
    this.#before = undefined;
    this.#losses.clockSetBack(nowMs);
  }

  /** No flush will come any more. */
  end(): void {
    this.#settle(true);
    if (this.#before !== undefined) this.#lookAt(this.#before);
    this.#before = undefined;
  }

  /** Since the last time; undefined where there is no more to answer for. */
  take(): CountedCoverage | undefined {
    const [since, until] = [this.#since, this.#until];
    if (until.ms <= since.ms) return undefined;
    const { unmeshed, meshed } = this.#losses;
    const before = this.#lost;
    this.#lost = {
      unmeshed: Math.max(before.unmeshed, unmeshed),
      meshed: Math.max(before.meshed, meshed),
    };
    [this.#since, this.#until] = [this.#last, this.#last];
    return {
      port: this.#port,
      sinceMs: since.ms,
      untilMs: until.ms,
      lostUnmeshed: this.#lost.unmeshed - before.unmeshed,
      lostMeshed: this.#lost.meshed - before.meshed,
      openUnnamed: median(this.#unnamed),
      endedAtSince: since.ended.unmeshed,
      endedAtUntil: until.ended.unmeshed,
      meshedAtSince: since.ended.meshed,
      meshedAtUntil: until.ended.meshed,
    };
  }

  #settle(isOver: boolean): void {
    for (const flush of this.#losses.settled(isOver)) {
      const { takenMs: ms, ended } = flush;
      // A clock that was set back goes through its time again.
      if (ms < this.#since.ms) this.#since = { ms, ended };
      this.#last = { ms, ended };
      if (ms >= this.#until.ms) this.#until = this.#last;
      // By now all was told of those that the one before has counted as open. Of the first one nothing better is known.
      if (this.#before !== undefined) this.#lookAt(this.#before);
      else if (this.#unnamed.length === 0) this.#unnamed = [this.#unnamedAt(flush)];
      this.#before = flush;
      this.#named.forgetBefore(ms);
    }
  }

  #lookAt(flush: CountedFlush): void {
    this.#unnamed = [this.#unnamedAt(flush), ...this.#unnamed].slice(0, flushesLooked);
    for (const [name, { open }] of plainChains(flush)) {
      const isTooMany = this.#named.leastOpenAt(name, flush.takenMs) > open;
      const flushes = isTooMany ? (this.#tooMany.get(name) ?? 0) + 1 : 0;
      this.#tooMany.set(name, flushes);
      // One of them has ended, and its end was not told.
      if (flushes >= flushesLooked) this.#named.forget(name);
    }
  }

  #unnamedAt(flush: CountedFlush): number {
    const counts = plainChains(flush).map(([name, { open }]) =>
      Math.max(0, open - this.#named.mostOpenAt(name, flush.takenMs)),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

function plainChains({ chains }: CountedFlush): [string, LedgerSnapshot][] {
  return Array.from(chains).filter(([name]) => isPlainChain(name));
}

/** The greater one of two. */
function median(counts: readonly number[]): number {
  return counts.toSorted((a, b) => b - a)[Math.floor((counts.length - 1) / 2)] ?? 0;
}
