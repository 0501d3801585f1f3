/** Indices that come in rising order, as ranges: what pruning took away is long and has few gaps. */

export interface IndexRange {
  readonly start: number;
  /** The first that is not in it. */
  readonly end: number;
}

export class IndexRanges {
  readonly #ranges: IndexRange[] = [];

  get ranges(): readonly IndexRange[] {
    return [...this.#ranges];
  }

  /** @param index above all that were added before */
  add(index: number): void {
    const last = this.#ranges.at(-1);
    if (last?.end !== index) this.#ranges.push({ start: index, end: index + 1 });
    else this.#ranges[this.#ranges.length - 1] = { start: last.start, end: index + 1 };
  }

  has(index: number): boolean {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.end ?? Infinity) <= index) low = middle + 1;
      else high = middle;
    }
    return (this.#ranges[low]?.start ?? Infinity) <= index;
  }
}
