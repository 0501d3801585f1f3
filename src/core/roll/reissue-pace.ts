/**
 * Whom to ask for a renewal now, so that ten thousand workloads are not re-issued at once: so many a second, those first
 * whose certificates end first, and nobody again before it has had the time to answer. Whoever has answered may soon be asked
 * something else, for another authority may have taken the place of the one that signed the answer.
 */

export interface ReissueCandidate {
  /** Of the workload, whichever certificate it has by now: nobody is to be asked without end. */
  readonly key: string;
  /** What it is asked: whoever is to be asked something else has answered, or is to answer otherwise. */
  readonly question: string;
  readonly notAfterMs: number;
}

interface Asked {
  readonly question: string;
  readonly atMs: number;
  /** Before it may be asked something else. */
  readonly pauseMs: number;
}

const askAgainMs = 30_000;
const firstPauseMs = 1_000;
/** Longer than any pause: whoever answers again and again with what is to go is asked ever less often. */
const keptMs = 60_000;

export class ReissuePace {
  #perSecond: number;
  #credit = 0;
  #lastMs: number | undefined;
  /** By key, in the order in which they were asked. */
  readonly #asked = new Map<string, Asked>();

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
      if (this.#isTooSoon(candidate, nowMs)) continue;
      if (isFull) chosen.pop();
      chosen.splice(placeOf(candidate, chosen), 0, candidate);
    }
    for (const candidate of chosen) this.#note(candidate, nowMs);
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

  #isTooSoon({ key, question }: ReissueCandidate, nowMs: number): boolean {
    const asked = this.#asked.get(key);
    if (asked === undefined || nowMs < asked.atMs) return false;
    return nowMs < asked.atMs + (asked.question === question ? askAgainMs : asked.pauseMs);
  }

  #note({ key, question }: ReissueCandidate, atMs: number): void {
    const before = this.#asked.get(key);
    const isOther = before !== undefined && before.question !== question;
    const pauseMs = (before?.pauseMs ?? firstPauseMs) * (isOther ? 2 : 1);
    this.#asked.delete(key);
    this.#asked.set(key, { question, atMs, pauseMs: Math.min(pauseMs, askAgainMs) });
  }

  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#asked) {
      // A clock that was set back must not silence anybody.
      if (nowMs >= atMs && nowMs < atMs + keptMs) return;
      this.#asked.delete(key);
    }
  }
}

function placeOf(candidate: ReissueCandidate, chosen: readonly ReissueCandidate[]): number {
  const place = chosen.findIndex(({ notAfterMs }) => candidate.notAfterMs < notAfterMs);
  return place === -1 ? chosen.length : place;
}
