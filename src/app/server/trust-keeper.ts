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

  /** The stored document has another epoch, and trusts and signs as before: nobody is told. */
  keepState(state: TrustState): void {
    this.#current = Object.freeze({ ...this.#current, state });
  }

  /** What is durable already; whoever listens is told before this returns. */
  replace(trust: Trust): void {
    this.#current = trust;
    for (const listener of this.#listeners) listener(trust);
  }

  /** Until it is disposed. */
  onChange(listener: (trust: Trust) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
