/** What was asked of the API server a moment ago, by whom never matters: one question for all who ask the same at once. */

import { LRUCache } from "lru-cache";

export interface RecentAnswersOptions<T> {
  readonly entriesMax: number;
  /** Until when an answer counts. Monotonic, as is `nowMs`. */
  readonly untilMs: (answer: T, askedMs: number) => number;
  readonly nowMs: () => number;
}

interface Recent<T> {
  readonly answer: Promise<T>;
  /** Once it is there. */
  settled?: T;
  untilMs: number;
}

export class RecentAnswers<T> {
  readonly #options: RecentAnswersOptions<T>;
  readonly #entries: LRUCache<string, Recent<T>>;

  constructor(options: RecentAnswersOptions<T>) {
    this.#options = options;
    this.#entries = new LRUCache({ max: options.entriesMax });
  }

  /** An answer that is there. */
  known(key: string): T | undefined {
    if (this.#entries.size === 0) return undefined;
    const known = this.#entries.get(key);
    return known !== undefined && this.#options.nowMs() < known.untilMs ? known.settled : undefined;
  }

  /** @throws what `ask` throws, which is remembered for nobody who comes later */
  async answer(key: string, ask: () => Promise<T>): Promise<T> {
    const { nowMs, untilMs } = this.#options;
    const known = this.#entries.get(key);
    if (known !== undefined && nowMs() < known.untilMs) return await known.answer;
    const askedMs = nowMs();
    const entry: Recent<T> = { answer: ask(), untilMs: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    try {
      const answer = await entry.answer;
      entry.settled = answer;
      entry.untilMs = untilMs(answer, askedMs);
      return answer;
    } catch (error) {
      if (this.#entries.peek(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }
}
