/** When a watch is tried again that has failed. */

import { isAbsence, type KubeError } from "../kube-error.ts";

const firstMs = 500;
const mostMs = 30_000;
export class RetryPace {
  readonly #absentMs: number;
  #failures = 0;
  #expired = 0;
  #wasAbsent = false;

  /** @param absentMs for a resource that the API server does not know: nothing says when it is there at last */
  constructor(absentMs: number) {
    this.#absentMs = absentMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#expired = 0;
  }

  /**
   * Doubles from 0.5 s to 30 s with jitter in the upper half, and is never sooner than the API server asks for.
   * @param random in [0, 1)
   */
  delayMs(failure: KubeError, random: number): number {
    const { code, retryAfterMs = 0 } = failure;
    // The list that is needed now is no repetition of what has failed.
    if (code === "kube-gone" && this.#expired++ === 0) return 0;
    if (code === "kube-not-found") return this.#absentMs;
    // One that has just started refuses all until it knows its own roles (403): that does not last as long as it was away.
    const isAbsent = isAbsence(failure);
    if (this.#wasAbsent && !isAbsent) this.#failures = 0;
    this.#wasAbsent = isAbsent;
    const delayMs = Math.min(firstMs * 2 ** Math.min(this.#failures++, 10), mostMs);
    return Math.max(Math.round(delayMs * (0.5 + 0.5 * random)), retryAfterMs);
  }
}
