/** Pieces of work of which each follows from the one before it, whether that went well or not. */

export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return await done;
  }

  /** Resolves when all that was given by now has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
