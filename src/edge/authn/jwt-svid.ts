/**
 * Verifies a JWT-SVID (JWT-SVID 2 and 3) against the JWT keys of a trust bundle. Stricter than the
 * tokens of service accounts: the header has `alg`, `kid` and `typ` and nothing else, and `kid`,
 * which the standard leaves open, must be there, as go-spiffe demands it.
 */

import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { JsonObject } from "../../core/identity/json-object.ts";
import { parseJwtSvidClaims, type JwtSvidClaims } from "../../core/identity/jwt-svid.ts";
import { encodeJwks } from "../../core/spiffe/bundle-document.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { findJwsAlgorithm } from "./jws-algorithm.ts";
import { parseJsonObject, splitJws, TOKEN_CHARS_MAX, verifyJws, type Jws } from "./jws.ts";
import { KeySet } from "./key-set.ts";
import type { VerificationKey } from "./verification-key.ts";

export interface VerifiedJwtSvid extends JwtSvidClaims {
  /** All of them, as they were signed. */
  readonly claims: JsonObject;
}

/**
 * @param audience the validator's own name
 * @throws AuthnError `token-key-unknown` when the bundle has no such key; it may come with a newer one
 */
export function verifyJwtSvid(
  token: string,
  bundle: TrustBundle,
  audience: string,
  nowMs: number,
): VerifiedJwtSvid {
  const jws = parseJwtSvid(token);
  verifyJws(jws, findKey(jws, bundle));
  const claims = parseJsonObject(jws.payload, "payload");
  const { trustDomain } = bundle;
  const checked = parseJwtSvidClaims(claims, { trustDomain, audience }, nowMs);
  return Object.freeze({ ...checked, claims });
}

/** JWT-SVID 2: compact form only, and no header parameters but these. */
const HEADER_PARAMETERS: ReadonlySet<string> = new Set(["alg", "kid", "typ"]);
/** JWT-SVID 2.3, in this very spelling. */
const TYPES: ReadonlySet<unknown> = new Set([undefined, "JWT", "JOSE"]);

function parseJwtSvid(token: string): Jws {
  const { header, ...rest } = splitJws(token, TOKEN_CHARS_MAX);
  const { alg, kid: keyId, typ } = header;
  const foreign = Object.keys(header).find((name) => !HEADER_PARAMETERS.has(name));
  if (foreign !== undefined) {
    throw malformed(`expected no header parameter but alg, kid and typ, got ${quoted(foreign)}`);
  }
  if (!TYPES.has(typ)) throw malformed(`typ: expected JWT or JOSE, got ${quoted(typ)}`);
  if (typeof keyId !== "string" || keyId === "") throw malformed("expected a kid");
  const algorithm = typeof alg === "string" ? findJwsAlgorithm(alg) : undefined;
  if (algorithm === undefined) {
    throw new AuthnError("token-algorithm", `alg ${quoted(alg)} is not accepted`);
  }
  return { algorithm, keyId, ...rest };
}

function findKey({ keyId, algorithm }: Jws, bundle: TrustBundle): VerificationKey {
  const lookup = keySetOf(bundle).find(keyId, algorithm);
  if (lookup.kind === "found") return lookup.key;
  if (lookup.kind === "unfit") {
    throw new AuthnError("token-algorithm", `${algorithm.name} does not fit the key`);
  }
  const { name } = bundle.trustDomain;
  throw new AuthnError("token-key-unknown", `no JWT key ${quoted(keyId)} in the bundle of ${name}`);
}

/** Bundles are values: a changed one is another, and an old one takes its keys along. */
const keySets = new WeakMap<TrustBundle, KeySet>();

function keySetOf(bundle: TrustBundle): KeySet {
  const known = keySets.get(bundle);
  if (known !== undefined) return known;
  const { jwtKeys } = bundle;
  const keySet = jwtKeys.length === 0 ? KeySet.NONE : KeySet.parse(encodeJwks(jwtKeys));
  keySets.set(bundle, keySet);
  return keySet;
}

function malformed(message: string): AuthnError {
  return new AuthnError("token-malformed", message);
}
