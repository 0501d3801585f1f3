/** The trust of a running server: one value at each moment, and those who must know when it changes. */

import type { TrustState } from "../../core/trust/trust-state.ts";
import type { Trust } from "./trust.ts";

export class TrustKeeper {
  #current: Trust;
  readonly #listeners = new Set<(trust: Trust) => void>();

  constructor(trust: Trust) {
    this.#current = trust;
  }

  get current(): Trust {
    return this.#current;
  }

  /**
   * Another document is stored, with another deny list: nobody is told. What is trusted and signed is as before, and so is all else that is
   * said of it: a change that is pending in that document comes into force by `replace`.
   */
  keepDenials(stored: TrustState): void {
    this.#current = withDenials(this.#current, stored);
  }

  /**
   * What is durable already; whoever listens is told before this returns. A deny list that was stored after it stays.
   */
  replace(trust: Trust): void {
    const { state } = this.#current;
    this.#current = state.epoch > trust.state.epoch ? withDenials(trust, state) : trust;
    for (const listener of this.#listeners) listener(this.#current);
  }

  /** Until it is disposed. */
  onChange(listener: (trust: Trust) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

function withDenials(trust: Trust, { epoch, denyDigest }: TrustState): Trust {
  return Object.freeze({ ...trust, state: Object.freeze({ ...trust.state, epoch, denyDigest }) });
}
