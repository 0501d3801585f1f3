/**
 * Groups of certificates are made side by side, and each by one authority from its first byte to its reply. What changes
 * the authority or the bundle waits until none of them is on its way, and those that come meanwhile wait for it.
 */

export class SigningTurns {
  #inFlight = 0;
  #alone: Promise<void> | undefined;
  #onEmpty: () => void = () => {};

  /** One group, with the trust that is current when `work` begins. */
  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    this.#inFlight += 1;
    try {
      return await work();
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#onEmpty();
    }
  }

  /** While nothing is signed. `work` must not wait for a signature. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    const ended = Promise.withResolvers<void>();
    this.#alone = ended.promise;
    try {
      if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
      return await work();
    } finally {
      this.#onEmpty = () => {};
      this.#alone = undefined;
      ended.resolve();
    }
  }
}
