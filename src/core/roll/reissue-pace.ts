/**
 * Whom to ask for a renewal now, so that ten thousand workloads are not re-issued at once: so many a second, those first
 * whose certificates end first, and nobody again before it has had the time to answer.
 */

export interface ReissueCandidate {
  /** Of the workload, whichever certificate it has by now: nobody is to be asked without end. */
  readonly key: string;
  readonly notAfterMs: number;
}

const askAgainMs = 30_000;

export class ReissuePace {
  #perSecond: number;
  #credit = 0;
  #lastMs: number | undefined;
  /** By key, when it was asked: in that order. */
  readonly #askedMs = new Map<string, number>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /**
   * @param candidates all that are to be renewed
   * @returns those to be asked at this moment, the most urgent first
   */
  next<Candidate extends ReissueCandidate>(
    candidates: Iterable<Candidate>,
    nowMs: number,
  ): Candidate[] {
    this.#forget(nowMs);
    const max = this.#room(nowMs);
    const chosen: Candidate[] = [];
    if (max === 0) return chosen;
    for (const candidate of candidates) {
      const last = chosen.at(-1);
      const isFull = chosen.length === max;
      if (isFull && last !== undefined && candidate.notAfterMs >= last.notAfterMs) continue;
      if (this.#askedMs.has(candidate.key)) continue;
      if (isFull) chosen.pop();
      chosen.splice(placeOf(candidate, chosen), 0, candidate);
    }
    for (const { key } of chosen) this.#askedMs.set(key, nowMs);
    this.#credit -= chosen.length;
    return chosen;
  }

  /** What was not used in a fifth of a second is lost, but for a fraction: a pause must not end in a herd. */
  #room(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - (this.#lastMs ?? nowMs));
    this.#lastMs = nowMs;
    const atOnceMax = Math.ceil(this.#perSecond / 5);
    const credit = this.#credit + (passedMs * this.#perSecond) / 1_000;
    this.#credit = Math.min(atOnceMax + 1, credit);
    return Math.min(atOnceMax, Math.floor(this.#credit));
  }

  #forget(nowMs: number): void {
    for (const [key, atMs] of this.#askedMs) {
      // A clock that was set back must not silence anybody.
      if (nowMs >= atMs && nowMs < atMs + askAgainMs) return;
      this.#askedMs.delete(key);
    }
  }
}

function placeOf(candidate: ReissueCandidate, chosen: readonly ReissueCandidate[]): number {
  const place = chosen.findIndex(({ notAfterMs }) => candidate.notAfterMs < notAfterMs);
  return place === -1 ? chosen.length : place;
}
