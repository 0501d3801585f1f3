/** One value for all that say the same, for as long as somebody has it: what is made of it then need be made once. */

export class Interned<T extends object> {
  readonly #textOf: (value: T) => string;
  readonly #values = new Map<string, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    // Another one of this text may have come meanwhile.
    if (this.#values.get(text)?.deref() === undefined) this.#values.delete(text);
  });

  /** @param textOf the same for those only that say the same */
  constructor(textOf: (value: T) => string) {
    this.#textOf = textOf;
  }

  get size(): number {
    return this.#values.size;
  }

  of(value: T): T {
    const text = this.#textOf(value);
    const known = this.#values.get(text)?.deref();
    if (known !== undefined) return known;
    this.#values.set(text, new WeakRef(value));
    this.#gone.register(value, text);
    return value;
  }
}
