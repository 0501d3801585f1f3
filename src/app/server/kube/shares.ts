/** How many may wait at once for the same reason, so that none takes the places of all others. */

import { KeyCounts } from "../../../core/key-counts.ts";

export class Shares {
  readonly #max: number;
  readonly #taken = new KeyCounts();

  /** @param max for each key */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * @param refused makes what is thrown where its share is taken
   * @throws that; what `work` throws
   */
  async run<T>(key: string, refused: () => Error, work: () => Promise<T>): Promise<T> {
    if (this.#taken.of(key) >= this.#max) throw refused();
    using _ = this.#taken.add(key);
    return await work();
  }
}
