/**
 * Tokens that were refused a moment ago, by their digests: an Envoy that comes back with the same one costs the CA nothing.
 * For a moment only, because some faults heal: a clock that was late, a key that was not known yet.
 */

import type { StreamEnd } from "./secret-channel.ts";

const rememberedMs = 10_000;
const tokensMax = 4_096;

export class RefusedTokens {
  /** Oldest first. */
  readonly #ends = new Map<string, { readonly end: StreamEnd; readonly untilMs: number }>();

  add(digest: string, end: StreamEnd, nowMs: number): void {
    this.#ends.delete(digest);
    this.#ends.set(digest, { end, untilMs: nowMs + rememberedMs });
    for (const [oldest, { untilMs }] of this.#ends) {
      if (this.#ends.size <= tokensMax && nowMs < untilMs) break;
      this.#ends.delete(oldest);
    }
  }

  /** How its streams end; undefined when it may be tried. */
  get(digest: string, nowMs: number): StreamEnd | undefined {
    const refused = this.#ends.get(digest);
    return refused !== undefined && nowMs < refused.untilMs ? refused.end : undefined;
  }
}
