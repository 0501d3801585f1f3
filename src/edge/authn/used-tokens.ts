/**
 * Which single-use tokens were used, for as long as they could be used again. It forgets nothing
 * early: when it is full, no more tokens are taken. Nor does it remember what was used before it
 * began, so what was issued before that is refused. It must outlive a reload of the configuration.
 */

import { hash } from "node:crypto";
import { AuthnError } from "../../core/identity/authn-error.ts";
import type { TokenUse } from "../../core/identity/x5c-caller.ts";

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
    if (!(issuedAtMs >= this.#sinceMs)) {
      const message = "made before this server started, so it may have been used before";
      throw new AuthnError("token-replayed", message, { hint: "make a new token for each call" });
    }
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

  #forgetExpired(nowMs: number): void {
    for (const [digest, expiresAtMs] of this.#used) {
      if (nowMs >= expiresAtMs) this.#used.delete(digest);
    }
  }
}
