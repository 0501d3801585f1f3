/** How many there are of each, such as of connections of an address; whoever has none takes no room. */

export class KeyCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** @returns takes it away again: to be disposed once */
  add(key: string): Disposable {
    this.#counts.set(key, this.of(key) + 1);
    this.#total++;
    return { [Symbol.dispose]: () => this.#remove(key) };
  }

  #remove(key: string): void {
    this.#total--;
    const left = this.of(key) - 1;
    if (left === 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}
