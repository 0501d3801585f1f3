/** What was made of equal values is made once, for as long as it is among those that were wanted last. */

export class Recent<T> {
  readonly #max: number;
  /** Who was wanted last is last. */
  readonly #values = new Map<string, T>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @param text the same for those only of which the same is made */
  of(text: string, make: () => T): T {
    const value = this.#values.get(text) ?? make();
    this.#values.delete(text);
    this.#values.set(text, value);
    const [oldest = text] = this.#values.keys();
    if (this.#values.size > this.#max) this.#values.delete(oldest);
    return value;
  }
}
