/**
 * Work that is waiting: messages that keep their order between two ends, or steps of one process. The schedule decides when the next one
 * happens, and that is all the delay and reordering there is. A pipe whose way is shut keeps what is in it.
 */

export interface Worker {
  readonly isReady: boolean;
  step(): void;
}

export class Pipe<T> implements Worker {
  #waiting: T[] = [];
  readonly #isOpen: () => boolean;
  readonly #receive: (message: T) => void;

  constructor(isOpen: () => boolean, receive: (message: T) => void) {
    this.#isOpen = isOpen;
    this.#receive = receive;
  }

  get isReady(): boolean {
    return this.#waiting.length > 0 && this.#isOpen();
  }

  get length(): number {
    return this.#waiting.length;
  }

  send(message: T): void {
    this.#waiting.push(message);
  }

  step(): void {
    const message = this.#waiting.shift();
    if (message !== undefined) this.#receive(message);
  }

  /** @returns whether anything was lost */
  lose(): boolean {
    const lost = this.#waiting.length > 0;
    if (lost) this.#waiting = [];
    return lost;
  }
}

/** A step that can be taken whenever its time has come. */
export class Task implements Worker {
  readonly #isDue: () => boolean;
  readonly step: () => void;

  constructor(isDue: () => boolean, step: () => void) {
    this.#isDue = isDue;
    this.step = step;
  }

  get isReady(): boolean {
    return this.#isDue();
  }
}
