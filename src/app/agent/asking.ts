/** How often a workload's certificate was asked for since the last one came, and when it may be asked for again. */

import { decidePaceMs } from "./renewal-pace.ts";

export class Asking {
  readonly #random: () => number;
  #askedAtMs = 0;
  isAsking = false;
  /** How often the server has put it off since it signed last. */
  attempts = 0;
  retryAtMs = 0;

  /** @param random in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  begin(nowMs: number): void {
    this.isAsking = true;
    this.#askedAtMs = nowMs;
    this.attempts += 1;
  }

  /** @returns how long it took */
  succeed(receivedAtMs: number): number {
    this.attempts = 0;
    this.retryAtMs = 0;
    return receivedAtMs - this.#askedAtMs;
  }

  /**
   * @param notAfterMs of the certificate in hand; undefined without one
   * @param atLeastMs that the server wants to be left alone
   * @param isJudged whether it has looked at the token, and said no
   */
  retryLater(
    notAfterMs: number | undefined,
    atLeastMs: number,
    isJudged: boolean,
    nowMs: number,
  ): void {
    const remainingMs = notAfterMs === undefined ? undefined : notAfterMs - nowMs;
    const delayMs = decidePaceMs(this.attempts - 1, remainingMs, isJudged, this.#random());
    this.retryAtMs = nowMs + Math.max(delayMs, atLeastMs);
  }
}
