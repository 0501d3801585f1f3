/** An agent says Hello soon, and a stream outlives no certificate: the agent comes back with its next one. */

import { status } from "@grpc/grpc-js";
import type { StreamRefusal } from "./mesh-admission.ts";
import { expired } from "./mesh-intake.ts";

const helloTimeoutMs = 5_000;
const timerMsMax = 2 ** 31 - 1;
const silent: StreamRefusal = { code: status.DEADLINE_EXCEEDED, details: "expected a Hello" };

export class SessionTimers implements Disposable {
  readonly #hello: NodeJS.Timeout;
  readonly #expiry: NodeJS.Timeout;

  /** @param leftMs of the certificate's life */
  constructor(leftMs: number, end: (refusal: StreamRefusal) => void) {
    this.#hello = setTimeout(end, helloTimeoutMs, silent);
    this.#expiry = setTimeout(end, Math.min(leftMs, timerMsMax), expired);
  }

  heard(): void {
    clearTimeout(this.#hello);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#hello);
    clearTimeout(this.#expiry);
  }
}
