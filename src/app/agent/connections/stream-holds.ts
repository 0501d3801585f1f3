/** Streams on which somebody may still tell something. */
export class StreamHolds {
  readonly #onNone: () => void;
  #count = 0;

  /** @param onNone each time when the last one has ended */
  constructor(onNone: () => void) {
    this.#onNone = onNone;
  }

  /** @returns what says that it has ended, however often it is called */
  hold(): () => void {
    this.#count += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count -= 1;
      if (this.#count === 0) this.#onNone();
    };
  }
}
