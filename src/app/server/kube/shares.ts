/** How many may wait at once for the same reason, so that none takes the places of all others. */

export class Shares {
  readonly #max: number;
  readonly #taken = new Map<string, number>();

  /** @param max for each key */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * @param refused makes what is thrown where its share is taken
   * @throws that; what `work` throws
   */
  async run<T>(key: string, refused: () => Error, work: () => Promise<T>): Promise<T> {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#max) throw refused();
    this.#taken.set(key, taken + 1);
    try {
      return await work();
    } finally {
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    }
  }
}
