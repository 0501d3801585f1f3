/** A caller that asks too often: nothing is wrong with its request but the time. */

import { PortcullisError } from "../error.ts";

export type RateScope = "identity" | "namespace" | "global";

export class RateLimitError extends PortcullisError<"rate-limited"> {
  override name = "RateLimitError";
  /** Whose limit it was. */
  readonly scope: RateScope;
  /** A whole number, at least 1. Callers are told different times, so that they do not come back together. */
  readonly retryAfterMs: number;

  constructor(scope: RateScope, retryAfterMs: number) {
    const whose = scope === "global" ? "altogether" : `of this ${scope}`;
    super("rate-limited", `too many requests ${whose}: try again in ${retryAfterMs} ms`, {
      hint: "raise the rate or the burst of this scope if so many are meant to come",
    });
    this.scope = scope;
    this.retryAfterMs = retryAfterMs;
  }
}
