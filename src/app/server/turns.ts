/**
 * Work that nobody waits for, done in small pieces with long rests: however much of it there is, the event loop has nine
 * tenths of its time for others.
 */

export interface TurnsDependencies<Key, Value> {
  readonly work: (key: Key, value: Value) => void;
  readonly onFailed: (error: unknown) => void;
}

const turnMs = 2;
const restsPerTurn = 9;

export class Turns<Key, Value> implements Disposable {
  readonly #dependencies: TurnsDependencies<Key, Value>;
  readonly #due = new Map<Key, Value>();
  #timer: NodeJS.Timeout | undefined;
  /** `performance.now()`. */
  #restUntil = 0;

  constructor(dependencies: TurnsDependencies<Key, Value>) {
    this.#dependencies = dependencies;
  }

  /** Once, however often it is scheduled before its turn. */
  schedule(key: Key, value: Value): void {
    if (!this.#due.has(key)) this.#due.set(key, value);
    const waitMs = Math.max(0, this.#restUntil - performance.now());
    this.#timer ??= setTimeout(() => this.#run(), waitMs).unref();
  }

  cancel(key: Key): void {
    this.#due.delete(key);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#due.clear();
  }

  #run(): void {
    const { work, onFailed } = this.#dependencies;
    const startAt = performance.now();
    for (const [key, value] of this.#due) {
      this.#due.delete(key);
      try {
        work(key, value);
      } catch (error) {
        onFailed(error);
      }
      if (performance.now() - startAt >= turnMs) break;
    }
    const restMs = restsPerTurn * (performance.now() - startAt);
    this.#restUntil = performance.now() + restMs;
    this.#timer = this.#due.size === 0 ? undefined : setTimeout(() => this.#run(), restMs).unref();
  }
}
