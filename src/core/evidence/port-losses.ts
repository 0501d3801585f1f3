/**
 * How many connections of a port Envoy has counted and not told: its counters against the entries of its access log. Both come by ways of
 * their own, so a flush is settled when all that it has counted was told, or when two more have come and it still was not.
 *
 * An entry near a flush passes for one that the flush has counted, so what is lost is a lower bound. At a flush with no connection's end
 * near it, it is exact; and as nothing leaves the difference, such a moment also tells of what could not be proved before.
 */

import { isMeshedChain } from "./chain-names.ts";
import { countSkewMs, type PortCounts, type ToldEnd } from "./connection-counts.ts";
import {
  endedCounts,
  missing,
  tellFlush,
  type CountedFlush,
  type PendingFlush,
} from "./counted-flush.ts";
import type { NamedConnections } from "./named-connections.ts";
import { PortLedgers } from "./port-ledgers.ts";

/** They come each second, and entries at once. */
const settlingFlushes = 2;

export class PortLosses {
  readonly #named: NamedConnections;
  readonly #ledgers: PortLedgers;
  readonly #pending: PendingFlush[] = [];
  /** Lost, and missing in no chain: one took its counter with it. */
  #unattributed = 0;
  #beginMs: number;
  /** The last end. */
  #toldMs = -Infinity;

  /** @param counts of what nobody has to tell any more, at `beginMs` */
  constructor(named: NamedConnections, counts: PortCounts, beginMs: number) {
    this.#named = named;
    this.#ledgers = new PortLedgers(counts);
    this.#beginMs = beginMs;
  }

  /** What nobody can attribute may have been without mTLS. */
  get unmeshed(): number {
    return this.#ledgers.lost((name) => !isMeshedChain(name)) + this.#unattributed;
  }

  get meshed(): number {
    return this.#ledgers.lost(isMeshedChain);
  }

  tell({ chain, endMs, toldMs }: ToldEnd): void {
    if (endMs <= this.#beginMs - countSkewMs) return;
    this.#ledgers.tell(chain, 1);
    this.#toldMs = toldMs;
    for (const flush of this.#pending) {
      if (endMs <= flush.takenMs + countSkewMs) tellFlush(flush, chain, 1);
    }
  }

  /** @param isApart it does not go on from the flush before */
  count(takenMs: number, counts: PortCounts, isApart: boolean): void {
    this.#ledgers.count(counts);
    if (this.#toldMs < takenMs - countSkewMs) this.#ledgers.balance();
    this.#pending.push({
      takenMs,
      isApart,
      chains: this.#ledgers.snapshots(),
      total: this.#ledgers.total.snapshot(),
      ended: endedCounts(counts),
    });
  }

  clockSetBack(nowMs: number): void {
    this.#beginMs = -Infinity;
    this.#toldMs = nowMs;
    this.#named.clockSetBack(nowMs);
  }

  /** @param isOver no more will come */
  settled(isOver: boolean): CountedFlush[] {
    const settled: CountedFlush[] = [];
    for (;;) {
      const [first] = this.#pending;
      if (first === undefined) break;
      if (this.#isMissing(first)) {
        if (!isOver && this.#pending.length <= settlingFlushes) break;
        this.#lose();
      }
      settled.push(first);
      this.#pending.shift();
    }
    return settled;
  }

  /** More than is known to be lost. */
  #isMissing({ chains, total }: PendingFlush): boolean {
    if (missing(total) > this.#ledgers.total.lost) return true;
    return Array.from(chains).some(([name, chain]) => missing(chain) > this.#ledgers.of(name).lost);
  }

  /** What is missing at all of the flushes that wait. */
  #lose(): void {
    const before = this.#ledgers.lost();
    for (const [name, ledger] of this.#ledgers.chains) {
      const all = this.#pending.map(({ chains }) => chains.get(name));
      const least = Math.min(...all.map((chain) => (chain === undefined ? 0 : missing(chain))));
      if (least > ledger.lost) ledger.lose(least - this.#endedNamed(name, least - ledger.lost));
    }
    const lost = this.#ledgers.lost();
    const more = Math.min(...this.#pending.map((flush) => this.#ofNoChain(flush)));
    // What is found to be missing in a chain may be what was missing in none.
    this.#unattributed = Math.max(0, more, this.#unattributed - (lost - before));
    this.#ledgers.total.lose(lost + this.#unattributed);
  }

  #ofNoChain({ chains, total }: PendingFlush): number {
    let count = missing(total);
    for (const [name, chain] of chains) {
      count -= Math.max(missing(chain), this.#ledgers.of(name).lost);
    }
    return count;
  }

  /** Of those whose end was not told, how many were known all the same when they began. */
  #endedNamed(name: string, most: number): number {
    const more = this.#pending.map(
      ({ takenMs, chains }) =>
        this.#named.leastOpenAt(name, takenMs) - (chains.get(name)?.open ?? Infinity),
    );
    const ended = Math.min(most, ...more);
    if (ended <= 0) return 0;
    this.#named.forget(name);
    this.#ledgers.tell(name, ended);
    for (const flush of this.#pending) tellFlush(flush, name, ended);
    return ended;
  }
}
