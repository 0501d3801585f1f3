/**
 * Where an account begins in the middle of an Envoy's life: at a flush with no connection's end near it, because of one near it nobody
 * can tell whether it was counted. That is known at the next flush, so each account begins one later than it could.
 */

import { countSkewMs, type PortCounts, type ToldEnd } from "./connection-counts.ts";

export interface Beginning {
  readonly takenMs: number;
  readonly counts: PortCounts;
  /** No listener was gone by then, with its counters. */
  readonly isWhole: boolean;
}

/** Where connections end all the time there is no such flush. */
const triesMax = 5;

export class PortBeginning {
  #ends: ToldEnd[] = [];
  #candidate: Beginning | undefined;
  #tries = 0;

  /** That were told. */
  get ends(): readonly ToldEnd[] {
    return this.#ends;
  }

  tell(end: ToldEnd): void {
    this.#ends.push(end);
  }

  /** The next flush has counted all that was told; what it has not will be counted as lost. */
  beginAnew(): void {
    this.#candidate = undefined;
    this.#ends = [];
  }

  /** What comes does not go on from the flush before. */
  clockSetForward(): void {
    this.#candidate = undefined;
  }

  /** @returns the flush before, if it is where to begin */
  flush(flush: Beginning): Beginning | undefined {
    const candidate = this.#candidate;
    const isFit =
      candidate !== undefined && (this.#tries >= triesMax || !this.#isNear(candidate.takenMs));
    if (isFit) return candidate;
    this.#candidate = flush;
    this.#tries += 1;
    this.#ends = this.#ends.filter(({ toldMs }) => toldMs > flush.takenMs - countSkewMs);
    return undefined;
  }

  #isNear(takenMs: number): boolean {
    const isNear = (ms: number): boolean => Math.abs(ms - takenMs) <= countSkewMs;
    return this.#ends.some(({ endMs, toldMs }) => isNear(endMs) || isNear(toldMs));
  }
}
