/**
 * Workloads whose evidence the server could not count: when to show it their tokens again. The first time soon, since it
 * reads the keys that it misses at once; then later, since an issuer may stay away for long.
 */

import { decideRetryMs } from "../../core/issuance/renewal.ts";

/** 200 ms to 6.4 s: the server reads keys every 5 s at most, and what they bring counts with the next attempt. */
const attemptMax = 5;
/** After so long without one, the next begins a new row of attempts: by then the last has ended well. */
const quietMs = 60_000;

export class Unproven implements Disposable {
  readonly #random: () => number;
  readonly #onDue: (spiffeIds: ReadonlySet<string>) => void;
  #spiffeIds = new Set<string>();
  #attempt = 0;
  #addedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(random: () => number, onDue: (spiffeIds: ReadonlySet<string>) => void) {
    this.#random = random;
    this.#onDue = onDue;
  }

  add(spiffeIds: readonly string[]): void {
    if (spiffeIds.length === 0) return;
    for (const spiffeId of spiffeIds) this.#spiffeIds.add(spiffeId);
    if (performance.now() - this.#addedAt > quietMs) this.#attempt = 0;
    this.#addedAt = performance.now();
    this.#timer ??= setTimeout(
      () => this.#due(),
      decideRetryMs(this.#attempt, undefined, this.#random()),
    ).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #due(): void {
    const spiffeIds = this.#spiffeIds;
    this.#spiffeIds = new Set();
    this.#timer = undefined;
    this.#attempt = Math.min(this.#attempt + 1, attemptMax);
    this.#onDue(spiffeIds);
  }
}
