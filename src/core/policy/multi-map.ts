/**
 * Several values for a key. Most keys of a mesh have one value, and one needs no set of its own: at 10,000 workloads that is what the
 * memory goes to.
 */

export class MultiMap<Key, Value extends object> {
  readonly #values = new Map<Key, Value | Set<Value>>();

  add(key: Key, value: Value): void {
    const there = this.#values.get(key);
    if (there === undefined) this.#values.set(key, value);
    else if (there instanceof Set) there.add(value);
    else if (there !== value) this.#values.set(key, new Set([there, value]));
  }

  delete(key: Key, value: Value): void {
    const there = this.#values.get(key);
    if (there === value) this.#values.delete(key);
    if (!(there instanceof Set)) return;
    there.delete(value);
    if (there.size === 0) this.#values.delete(key);
  }

  /** In the order in which they came; what is added or taken away meanwhile may be missed. */
  of(key: Key): Iterable<Value> {
    const there = this.#values.get(key);
    if (there === undefined) return [];
    return there instanceof Set ? there : [there];
  }

  has(key: Key): boolean {
    return this.#values.has(key);
  }

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }
}
