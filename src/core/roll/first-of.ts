/** The first of many in an order, of which no more are kept than are wanted: there may be a million. */

export class FirstOf<T> {
  readonly #max: number;
  readonly #compare: (a: T, b: T) => number;
  #kept: T[] = [];

  constructor(max: number, compare: (a: T, b: T) => number) {
    this.#max = max;
    this.#compare = compare;
  }

  add(value: T): void {
    this.#kept.push(value);
    // As many again, so that each costs little.
    if (this.#kept.length > 2 * this.#max + 64) this.#kept = this.sorted();
  }

  sorted(): T[] {
    return this.#kept.toSorted(this.#compare).slice(0, this.#max);
  }
}
