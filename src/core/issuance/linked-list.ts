/**
 * A list whose first element, and any other by its link, is taken out in constant time. A `Set` keeps order,
 * too, but finding its first element steps over what was deleted before: 3 us each time with 10,000 elements.
 */

/** Where an element stands; for the list that gave it alone. */
export interface Link<T> {
  readonly value: T;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
  list: LinkedList<T> | undefined;
}

export class LinkedList<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Link<T> | undefined {
    return this.#first;
  }

  append(value: T): Link<T> {
    const link: Link<T> = { value, previous: this.#last, next: undefined, list: this };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#length++;
    return link;
  }

  /** @returns false if it is not, or no longer, in this list */
  remove(link: Link<T>): boolean {
    if (link.list !== this) return false;
    const { previous, next } = link;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    link.previous = link.next = link.list = undefined;
    this.#length--;
    return true;
  }

  /** The element that was just given may be removed meanwhile. */
  *[Symbol.iterator](): Generator<Link<T>, void, undefined> {
    for (let link = this.#first; link !== undefined;) {
      const { next } = link;
      yield link;
      link = next;
    }
  }
}
