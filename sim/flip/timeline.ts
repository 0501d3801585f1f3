/** What is to happen when, in a world that has a clock of its own: a binary heap, and of one moment what was said first. */

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
}

export class Timeline {
  readonly #heap: Due[] = [];
  #order = 0;
  #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  at(ms: number, happen: () => void): void {
    const heap = this.#heap;
    const due = { atMs: Math.max(Math.ceil(ms), this.#nowMs), order: this.#order++, happen };
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, due)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = due;
  }

  after(ms: number, happen: () => void): void {
    this.at(this.#nowMs + ms, happen);
  }

  /** The next thing by then. @returns undefined where there is none; then it is that late */
  next(untilMs: number): (() => void) | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return undefined;
    }
    this.#removeFirst();
    this.#nowMs = first.atMs;
    return first.happen;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2];
      const [a, b] = [heap[left], heap[right]];
      const isLeft = a !== undefined && (b === undefined || isBefore(a, b));
      const child = isLeft ? a : b;
      if (child === undefined || isBefore(last, child)) break;
      heap[place] = child;
      place = isLeft ? left : right;
    }
    heap[place] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
