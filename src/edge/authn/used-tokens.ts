/**
 * Which single-use tokens were used, for as long as they could be used again. It forgets nothing
 * early: when it is full, no more tokens are taken. Nor does it remember what was used before it
 * began, so whatever could have passed before that is refused: also what is from a clock that runs
 * ahead, as far as that is forgiven. It must outlive a reload of the configuration.
 */

import { hash } from "node:crypto";
import { AuthnError } from "../../core/identity/authn-error.ts";
import type { TokenUse } from "../../core/identity/x5c-caller.ts";
import { CLOCK_SKEW_MS } from "./token-authenticator.ts";

export class UsedTokens {
  readonly #sinceMs: number;
  readonly #entriesMax: number;
  /** Digest to end of life; in the order of use, which is nearly that of the ends. */
  readonly #used = new Map<string, number>();

  constructor(nowMs: number, entriesMax = 65_536) {
    this.#sinceMs = nowMs;
    this.#entriesMax = entriesMax;
  }

  /** @throws AuthnError `token-replayed`, `identities-unavailable` when there is no room */
  use({ holder, tokenId, issuedAtMs, expiresAtMs }: TokenUse, nowMs: number): void {
    this.#assertNew(issuedAtMs);
    const digest = hash("sha256", JSON.stringify([holder, tokenId]), "base64url");
    if (this.#used.has(digest)) {
      throw new AuthnError("token-replayed", "a token with this jti was used before");
    }
    if (this.#used.size >= this.#entriesMax) this.#forgetExpired(nowMs);
    if (this.#used.size >= this.#entriesMax) {
      const message = `more than ${this.#entriesMax} single-use tokens in their life`;
      throw new AuthnError("identities-unavailable", message);
    }
    this.#used.set(digest, expiresAtMs);
  }

  /** Whoever was served before had an `iat` of at most that moment and the skew. */
  #assertNew(issuedAtMs: number): void {
    if (issuedAtMs > this.#sinceMs + CLOCK_SKEW_MS) return;
    if (issuedAtMs >= this.#sinceMs) {
      const since = `within ${CLOCK_SKEW_MS / 1000} s of this server's start`;
      const message = `made ${since}: whether it was used before cannot be told`;
      throw new AuthnError("identities-unavailable", message, {
        hint: "try again with a new token",
      });
    }
    const message = "made before this server started, so it may have been used before";
    throw new AuthnError("token-replayed", message, { hint: "make a new token for each call" });
  }

  #forgetExpired(nowMs: number): void {
    for (const [digest, expiresAtMs] of this.#used) {
      if (nowMs >= expiresAtMs) this.#used.delete(digest);
    }
  }
}
