/**
 * Reads a JWT-SVID back before it leaves and holds it against what was meant, as `check-issued` does with certificates.
 * Shares nothing with the writer; the key is the published one, so what passes is what peers can verify.
 */

import { createPublicKey, verify } from "node:crypto";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import type { SpiffeId } from "../spiffe/id.ts";
import type { TrustBundle } from "../spiffe/trust-bundle.ts";
import { JwtSvidError } from "./jwt-svid-error.ts";

/** What the JWT-SVID was meant to say; times in Unix seconds, as claims have them. */
export interface JwtSvidIntent {
  readonly id: SpiffeId;
  readonly audiences: readonly string[];
  readonly tokenId: string;
  readonly keyId: string;
  readonly exp: number;
  readonly iat: number;
}

interface ReadJwtSvid {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly signingInput: string;
  readonly signature: Uint8Array;
}

interface JwtSvidCheck {
  readonly name: string;
  /** The section that asks for it. */
  readonly source: string;
  holds(read: ReadJwtSvid, intent: JwtSvidIntent, bundle: TrustBundle): boolean;
}

const contentChecks: readonly JwtSvidCheck[] = [
  {
    name: "exact-header",
    source: "JWT-SVID 2: alg, kid and typ, and no other",
    holds: ({ header }, { keyId }) =>
      hasMembers(header, "alg", "kid", "typ") &&
      header["alg"] === "ES256" &&
      header["kid"] === keyId &&
      header["typ"] === "JWT",
  },
  {
    name: "exact-subject",
    source: "JWT-SVID 3.1",
    holds: ({ claims }, { id }) => claims["sub"] === id.toString(),
  },
  {
    name: "own-trust-domain",
    source: "SPIFFE Trust Domain and Bundle 3",
    holds: (_, { id }, { trustDomain }) => id.trustDomain.equals(trustDomain) && id.path !== "",
  },
  {
    name: "exact-audience",
    source: "JWT-SVID 3.2",
    holds: ({ claims: { aud } }, { audiences }) =>
      Array.isArray(aud) &&
      aud.length === audiences.length &&
      audiences.every((audience, index) => aud[index] === audience),
  },
  {
    name: "exact-times",
    source: "JWT-SVID 3.3",
    holds: ({ claims }, { exp, iat }) =>
      claims["exp"] === exp && claims["iat"] === iat && Number.isSafeInteger(exp) && iat < exp,
  },
  {
    name: "no-other-claim",
    source: "RFC 7519 4",
    holds: ({ claims }, { tokenId }) =>
      hasMembers(claims, "aud", "exp", "iat", "jti", "sub") && claims["jti"] === tokenId,
  },
];

const signatureCheck: JwtSvidCheck = {
  name: "signature-verifies",
  source: "RFC 7515 5.2; the key is in the bundle before it signs (SPIFFE Federation 4.1)",
  holds: ({ signingInput, signature }, { keyId }, { jwtKeys }) => {
    const spki = jwtKeys.find((key) => key.keyId === keyId)?.spki;
    if (spki === undefined) return false;
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    const isP256 = key.asymmetricKeyDetails?.namedCurve === "prime256v1";
    const options = { key, dsaEncoding: "ieee-p1363" as const };
    return isP256 && verify("sha256", Buffer.from(signingInput), options, signature);
  },
};

/**
 * Everything but the signature, which there is not yet.
 *
 * @throws JwtSvidError `jwt-svid-check-failed`, naming the check
 */
export function checkSigningInput(
  signingInput: string,
  intent: JwtSvidIntent,
  bundle: TrustBundle,
): void {
  assertChecks(contentChecks, readBack(`${signingInput}.`), intent, bundle);
}

/** @throws JwtSvidError `jwt-svid-check-failed`, naming the check */
export function checkJwtSvid(token: string, intent: JwtSvidIntent, bundle: TrustBundle): void {
  assertChecks([...contentChecks, signatureCheck], readBack(token), intent, bundle);
}

function assertChecks(
  checks: readonly JwtSvidCheck[],
  read: ReadJwtSvid,
  intent: JwtSvidIntent,
  bundle: TrustBundle,
): void {
  const broken = checks.find((check) => !check.holds(read, intent, bundle));
  if (broken !== undefined) throw checkFailed(`${broken.name} (${broken.source})`);
}

function readBack(token: string): ReadJwtSvid {
  const segments = token.split(".");
  const [header = "", claims = "", signature = ""] = segments;
  if (segments.length !== 3) throw checkFailed("to be read back");
  return {
    header: readSegment(header),
    claims: readSegment(claims),
    signingInput: `${header}.${claims}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

function readSegment(segment: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(segment, "base64url").toString());
  } catch {
    // The engine's message quotes the input.
  }
  if (isJsonObject(value)) return value;
  throw checkFailed("to be read back");
}

function hasMembers(object: JsonObject, ...sorted: readonly string[]): boolean {
  return Object.keys(object).toSorted().join() === sorted.join();
}

function checkFailed(what: string): JwtSvidError {
  return new JwtSvidError("jwt-svid-check-failed", `the JWT-SVID fails ${what}`, {
    hint: "this is a fault of the CA, not of the caller: keep its log and report it",
  });
}
