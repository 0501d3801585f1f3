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
   * Another document is stored, with another deny list: nobody is told. What is trusted and signed is as before, also where
   * that document has a change that is pending: it comes into force by `replace`.
   */
  keepState(state: TrustState): void {
    this.#current = Object.freeze({ ...this.#current, state });
  }

  /**
   * What is durable already; whoever listens is told before this returns. A state that was stored after it stays: it followed
   * from this one, with another deny list.
   */
  replace(trust: Trust): void {
    const { state } = this.#current;
    const isNewer = state.epoch > trust.state.epoch;
    this.#current = isNewer ? Object.freeze({ ...trust, state }) : trust;
    for (const listener of this.#listeners) listener(this.#current);
  }

  /** Until it is disposed. */
  onChange(listener: (trust: Trust) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
