/** The open connections of a port, by the flushes that are settled: how many are mTLS, and of how many others nobody knows whose they are. */

import type { LedgerSnapshot } from "./chain-ledger.ts";
import { canaryChain, isMeshedChain, isPlainChain } from "./chain-names.ts";
import type { CountedFlush } from "./counted-flush.ts";
import type { NamedConnections } from "./named-connections.ts";

/** What is wrong near a flush is wrong in most of so many only if it is really so. */
const flushesLooked = 3;

export class PortOpen {
  readonly #named: NamedConnections;
  #before: CountedFlush | undefined;
  /** Of the last flushes, the newest first. */
  #unnamed: readonly number[] = [];
  #meshed = 0;
  /** By chain: at how many flushes in a row fewer were open than are known. */
  readonly #tooMany = new Map<string, number>();

  constructor(named: NamedConnections) {
    this.#named = named;
  }

  get unnamed(): number {
    return median(this.#unnamed);
  }

  /** Without the agent's own. */
  get meshed(): number {
    return this.#meshed;
  }

  settled(flush: CountedFlush): void {
    // By now all was told of those that the one before has counted as open. Of the first one nothing better is known.
    if (this.#before !== undefined) this.#lookAt(this.#before);
    else if (this.#unnamed.length === 0) this.#unnamed = [this.#unnamedAt(flush)];
    this.#before = flush;
    this.#meshed = sum(openOf(flush, (name) => isMeshedChain(name) && name !== canaryChain));
    this.#named.forgetBefore(flush.takenMs);
  }

  clockSetBack(): void {
    this.#before = undefined;
  }

  /** No flush will come any more. */
  end(): void {
    if (this.#before !== undefined) this.#lookAt(this.#before);
    this.#before = undefined;
  }

  #lookAt(flush: CountedFlush): void {
    this.#unnamed = [this.#unnamedAt(flush), ...this.#unnamed].slice(0, flushesLooked);
    for (const [name, { open }] of chainsOf(flush, isPlainChain)) {
      const isTooMany = this.#named.leastOpenAt(name, flush.takenMs) > open;
      const flushes = isTooMany ? (this.#tooMany.get(name) ?? 0) + 1 : 0;
      this.#tooMany.set(name, flushes);
      // One of them has ended, and its end was not told.
      if (flushes >= flushesLooked) this.#named.forget(name);
    }
  }

  #unnamedAt(flush: CountedFlush): number {
    const counts = chainsOf(flush, isPlainChain).map(([name, { open }]) =>
      Math.max(0, open - this.#named.mostOpenAt(name, flush.takenMs)),
    );
    return sum(counts);
  }
}

function chainsOf(
  { chains }: CountedFlush,
  isAsked: (name: string) => boolean,
): [string, LedgerSnapshot][] {
  return Array.from(chains).filter(([name]) => isAsked(name));
}

function openOf(flush: CountedFlush, isAsked: (name: string) => boolean): number[] {
  return chainsOf(flush, isAsked).map(([, { open }]) => open);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** The greater one of two. */
function median(counts: readonly number[]): number {
  return counts.toSorted((a, b) => b - a)[Math.floor((counts.length - 1) / 2)] ?? 0;
}
