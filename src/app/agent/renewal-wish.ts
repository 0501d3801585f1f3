/**
 * The wish that a certificate be renewed before its time: the server's, which asks many agents at once and may ask again, or the
 * agent's own. Each waits a moment of its own, and asks once.
 */

import { setTimeout as sleep } from "node:timers/promises";

/** The server spreads its requests itself; this is for those of one message. */
export const wishDelayMsMax = 1_000;

export class RenewalWish {
  /** Of the certificate that is to be renewed. */
  #serialHex = "";
  /** `performance.now()` */
  #dueAt = 0;
  /** Of who sleeps now. */
  #waking = new AbortController();

  /** @param delayMs of several wishes for one certificate the earliest counts */
  make(serialHex: string, delayMs: number): void {
    const dueAt = performance.now() + delayMs;
    if (serialHex === this.#serialHex && dueAt >= this.#dueAt) return;
    this.#serialHex = serialHex;
    this.#dueAt = dueAt;
    this.#waking.abort();
  }

  isDue(serialHex: string): boolean {
    return serialHex === this.#serialHex && performance.now() >= this.#dueAt;
  }

  /** At most so long; not longer than until the wish is due, also if it is made meanwhile. Never rejects. */
  async sleep(serialHex: string, ms: number, signal: AbortSignal): Promise<void> {
    this.#waking = new AbortController();
    const leftMs = serialHex === this.#serialHex ? this.#dueAt - performance.now() : Infinity;
    const either = AbortSignal.any([signal, this.#waking.signal]);
    await sleep(Math.max(0, Math.min(ms, leftMs)), undefined, { signal: either }).catch(() => {});
  }
}
