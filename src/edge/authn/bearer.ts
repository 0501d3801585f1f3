/**
 * The bearer token of a call (RFC 6750 2.1), read as Istio reads it: the scheme is `Bearer`,
 * spelled like this, and one space. A call with two authorization values is refused, because
 * whoever else looks at it may pick the other.
 */

import { AuthnError } from "../../core/identity/authn-error.ts";

/**
 * @param values all values of the call's `authorization` metadata
 * @throws AuthnError `token-missing`, `token-malformed`
 */
export function extractBearer(values: readonly string[]): string {
  const token = findBearer(values);
  if (token !== undefined) return token;
  throw new AuthnError("token-missing", "the call has no authorization metadata");
}

/**
 * Undefined only where there is no value at all: who says anything and says it wrong is refused,
 * and not asked for something else.
 *
 * @throws AuthnError `token-missing`, `token-malformed`
 */
export function findBearer(values: readonly string[]): string | undefined {
  const [value, second] = values;
  if (value === undefined) return undefined;
  if (second !== undefined) {
    const got = `got ${values.length}`;
    throw new AuthnError("token-malformed", `expected one authorization value, ${got}`);
  }
  if (!value.startsWith(BEARER) || value.length === BEARER.length) {
    throw new AuthnError("token-missing", "expected the authorization scheme Bearer and a token");
  }
  return value.slice(BEARER.length);
}

const BEARER = "Bearer ";
