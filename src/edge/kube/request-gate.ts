/** How many requests may be under way at once, and how many may wait for that. What comes beyond is refused at once: nobody waits for it. */

import { KubeError } from "./kube-error.ts";

export interface GateLimits {
  readonly inFlightMax: number;
  readonly waitingMax: number;
}

export class RequestGate {
  readonly #limits: GateLimits;
  /** First come, first served. */
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws KubeError `kube-busy`; the reason of `signal`; what `run` throws */
  async pass<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#inFlight < this.#limits.inFlightMax) this.#inFlight++;
    else await this.#wait(signal);
    try {
      return await run();
    } finally {
      this.#leave();
    }
  }

  /** The place of whoever leaves is taken over as it is: nobody who comes later gets it first. */
  async #wait(signal: AbortSignal): Promise<void> {
    const { inFlightMax, waitingMax } = this.#limits;
    if (this.#waiting.size >= waitingMax) {
      const message = `expected at most ${inFlightMax} requests under way and ${waitingMax} waiting`;
      throw new KubeError("kube-busy", `${message}, got more`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#waiting.delete(resolve);
      reject(signal.reason);
    };
    this.#waiting.add(resolve);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inFlight--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
