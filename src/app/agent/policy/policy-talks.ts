/** Whether a server is there that says what proxies are to do: who begins anew waits for its word, for a moment. */

const silenceMsMax = 2_000;

export class PolicyTalks {
  readonly #silenceMs: number;
  /** The newest mesh stream that such a server has answered on. */
  #begun: object | undefined;
  /** After a start of the machine Envoys may be there before the first stream is. */
  #isStarting = true;

  /** @param silenceMs how long its word is waited for */
  constructor(silenceMs: number = silenceMsMax) {
    this.#silenceMs = silenceMs;
  }

  began(talk: object): void {
    this.#begun = talk;
  }

  /** It could not be opened, was lost, or was replaced. */
  ended(talk: object): void {
    this.#isStarting = false;
    if (this.#begun === talk) this.#begun = undefined;
  }

  /**
   * @param onSilence nothing was heard in time
   * @returns what ends the waiting; undefined where nobody is there to wait for
   */
  wait(onSilence: () => void): (() => void) | undefined {
    if (!this.#isStarting && this.#begun === undefined) return undefined;
    const timer = setTimeout(() => {
      this.#isStarting = false;
      onSilence();
    }, this.#silenceMs).unref();
    return () => clearTimeout(timer);
  }
}
