/** What a token says of itself, before anybody is asked: garbage and tokens for others never reach the API server. */

import { AuthnError, quoted } from "../../../../core/identity/authn-error.ts";
import { parseJsonObject, splitJws, TOKEN_CHARS_MAX } from "../../../../edge/authn/jws.ts";
import { OperatorError } from "./operator-error.ts";

/**
 * Nothing is verified by it.
 * @throws AuthnError `token-malformed`, `token-audience`; OperatorError `operator-token` where it has expired
 */
export function assertForAdmin(token: string, audience: string, nowMs: number): void {
  const { payload } = splitJws(token, TOKEN_CHARS_MAX);
  const { aud, exp } = parseJsonObject(payload, "payload");
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  // Alone: whoever else takes the token could show it here, and a pod's own may be for all that the API server knows.
  if (audiences.length !== 1 || audiences[0] !== audience) {
    const got = audiences.slice(0, 4).map(quoted).join(", ");
    const message = `expected audience ${quoted(audience)} alone, got ${got || "none"}`;
    throw new AuthnError("token-audience", message);
  }
  if (typeof exp !== "number" || exp * 1_000 <= nowMs) {
    throw new OperatorError("operator-token", "expected a token that is good now, got another", {
      hint: "it has expired",
    });
  }
}
