/**
 * Open connections of a port whose source is known: those without mTLS, of which Envoy tells when they begin. How many there were at a
 * moment is asked when all that Envoy tells of it has come.
 */

import type { SeenConnections } from "./connection.ts";
import { countSkewMs, type ToldConnection } from "./connection-counts.ts";
import type { PortRoom } from "./port-room.ts";

/** What there is no room for is told when it ends. */
const openMax = 16_384;

interface Named {
  readonly chain: string;
  readonly seen: SeenConnections;
  /** When it was told. */
  sinceMs: number;
}

interface Ended {
  readonly chain: string;
  readonly fromMs: number;
  readonly sinceMs: number;
  readonly endMs: number;
}

export class NamedConnections {
  readonly #open = new Map<string, Named>();
  readonly #room: PortRoom;
  #ended: Ended[] = [];

  /** @param room for those that have ended since the last flush; one that finds none passes for one that nobody knew */
  constructor(room: PortRoom) {
    this.#room = room;
  }

  /** @returns whether it was not known, and is now */
  opened({ id, chain, seen }: ToldConnection, nowMs: number): boolean {
    if (id === "" || this.#open.has(id) || this.#open.size >= openMax) return false;
    this.#open.set(id, { chain, seen, sinceMs: nowMs });
    return true;
  }

  /** @returns whether it was known */
  ended({ id, chain, seen }: ToldConnection, endMs: number): boolean {
    const known = this.#open.get(id);
    this.#open.delete(id);
    if (this.#room.take()) {
      const fromMs = seen.firstMs;
      this.#ended.push({ chain, fromMs, sinceMs: known?.sinceMs ?? endMs, endMs });
    }
    return known !== undefined;
  }

  /** Nobody will ask for a moment before. */
  forgetBefore(ms: number): void {
    if (this.#ended.length > 0) this.#keep(({ endMs }) => endMs > ms - countSkewMs);
  }

  /** Some of a chain are not open any more, and nobody can tell which. */
  forget(chain: string): void {
    for (const [id, named] of this.#open) if (named.chain === chain) this.#open.delete(id);
  }

  clockSetBack(nowMs: number): void {
    for (const named of this.#open.values()) named.sinceMs = Math.min(named.sinceMs, nowMs);
    this.#keep(() => false);
  }

  /** Of those that are known now, how many a flush has counted as open then for certain. */
  leastOpenAt(chain: string, ms: number): number {
    const [sinceMax, endMin] = [ms - countSkewMs, ms + countSkewMs];
    let count = 0;
    for (const named of this.#open.values()) {
      if (named.chain === chain && named.sinceMs <= sinceMax) count += 1;
    }
    for (const ended of this.#ended) {
      if (ended.chain === chain && ended.sinceMs <= sinceMax && ended.endMs > endMin) count += 1;
    }
    return count;
  }

  /** Or perhaps. */
  mostOpenAt(chain: string, ms: number): number {
    const [fromMax, endMin] = [ms + countSkewMs, ms - countSkewMs];
    let count = 0;
    for (const { chain: its, seen, sinceMs } of this.#open.values()) {
      if (its === chain && Math.min(seen.firstMs, sinceMs) <= fromMax) count += 1;
    }
    for (const ended of this.#ended) {
      if (ended.chain === chain && ended.fromMs <= fromMax && ended.endMs > endMin) count += 1;
    }
    return count;
  }

  /** They last until then at least, and are counted already. */
  stillOpen(untilMs: number): SeenConnections[] {
    return Array.from(this.#open.values(), ({ seen }) => ({
      ...seen,
      lastMs: Math.max(seen.lastMs, untilMs),
      count: 0,
    }));
  }

  #keep(isKept: (ended: Ended) => boolean): void {
    const kept = this.#ended.filter(isKept);
    this.#room.give(this.#ended.length - kept.length);
    this.#ended = kept;
  }
}
