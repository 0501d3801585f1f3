/** What was asked of the API server a moment ago, by whom never matters: one question for all who ask the same at once. */

import { LRUCache } from "lru-cache";

export interface RecentAnswersOptions<T> {
  readonly entriesMax: number;
  /** How long an answer counts. Monotonic, as is `nowMs`. */
  readonly lifeMs: (answer: T) => number;
  readonly nowMs: () => number;
}

interface Recent<T> {
  readonly answer: Promise<T>;
  /** From when it was asked on: what has changed since is not known. */
  endMs: number;
}

export class RecentAnswers<T> {
  readonly #options: RecentAnswersOptions<T>;
  readonly #entries: LRUCache<string, Recent<T>>;

  constructor(options: RecentAnswersOptions<T>) {
    this.#options = options;
    this.#entries = new LRUCache({ max: options.entriesMax });
  }

  /** @throws what `ask` throws, which is remembered for nobody who comes later */
  async answer(key: string, ask: () => Promise<T>): Promise<T> {
    const { nowMs, lifeMs } = this.#options;
    const known = this.#entries.get(key);
    if (known !== undefined && nowMs() < known.endMs) return await known.answer;
    const askedMs = nowMs();
    const entry: Recent<T> = { answer: ask(), endMs: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    try {
      const answer = await entry.answer;
      entry.endMs = askedMs + lifeMs(answer);
      return answer;
    } catch (error) {
      if (this.#entries.peek(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }
}
