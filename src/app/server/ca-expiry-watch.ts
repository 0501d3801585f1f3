/**
 * Says in the log that the CA is about to expire: at once, once a day from 30 days before, and each day after. A warning
 * at the start is not enough for a server that runs for a year, and nobody but an operator can renew it.
 */

import { judgeExpiry, type Expiry } from "../../core/issuance/expiry.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";

export interface CaExpiryWatchOptions {
  /** Of what signs now: when the first of its path expires. */
  readonly notAfterMs: () => number;
  readonly log: Logger;
  readonly nowMs: () => number;
}

const checkIntervalMs = 60_000;
const dayMs = 86_400_000;

export class CaExpiryWatch implements Disposable {
  readonly #options: CaExpiryWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #said: { readonly expiry: Expiry; readonly atMs: number } | undefined;

  constructor(options: CaExpiryWatchOptions) {
    this.#options = options;
    // Looked at on the wall clock, since a suspended machine's timers sleep with it.
    this.#timer = setInterval(() => this.check(), checkIntervalMs).unref();
    this.check();
  }

  check(): void {
    const notAfterMs = this.#options.notAfterMs();
    const nowMs = this.#options.nowMs();
    const expiry = judgeExpiry(notAfterMs, nowMs);
    // A clock that was set back is no reason to be silent.
    const isSaid = this.#said?.expiry === expiry && Math.abs(nowMs - this.#said.atMs) < dayMs;
    if (isSaid) return;
    this.#said = { expiry, atMs: nowMs };
    this.#say(expiry, notAfterMs, nowMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #say(expiry: Expiry, notAfterMs: number, nowMs: number): void {
    const { log } = this.#options;
    const notAfter = new Date(notAfterMs).toISOString();
    if (expiry === "past") {
      log.error({ event: "ca-expired", notAfter }, "the CA has expired: it signs nothing more");
    } else if (expiry === "soon") {
      const daysLeft = Math.floor((notAfterMs - nowMs) / dayMs);
      const fields = { event: "ca-expires-soon", notAfter, daysLeft };
      log.warn(fields, "the CA expires soon: no certificate outlives it");
    }
  }
}
