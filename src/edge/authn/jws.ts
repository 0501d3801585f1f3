/**
 * JWS in its compact form (RFC 7515), as far as a service-account token needs it. Synchronous,
 * because the caller verifies whatever arrived in one turn of the event loop in one go. There is
 * one way to write each token: base64url without padding, without white space, with zero trailing
 * bits. Of the header only `alg`, `kid`, `typ` and `crit` are looked at: a key that is pointed at or
 * travels in the header (`jku`, `x5u`, `jwk`) never counts, and with a certificate in it (`x5c`)
 * the token belongs to x5c-jws.ts.
 */

import { isUtf8 } from "node:buffer";
import { verify } from "node:crypto";
import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { JsonObject } from "../../core/identity/json-object.ts";
import { isJsonObject } from "../../core/identity/json-object.ts";
import type { JwsAlgorithm } from "./jws-algorithm.ts";
import { findJwsAlgorithm } from "./jws-algorithm.ts";
import type { VerificationKey } from "./verification-key.ts";

export interface Jws {
  readonly algorithm: JwsAlgorithm;
  readonly keyId: string | undefined;
  readonly signingInput: Uint8Array;
  readonly payload: Buffer;
  readonly signature: Uint8Array;
}

/** Tokens of Kubernetes have about 1,200 characters. */
export const TOKEN_CHARS_MAX = 8192;

/**
 * Nothing in the result counts before `verifyJws`.
 *
 * @throws AuthnError `token-malformed`, `token-algorithm`
 */
export function parseJws(token: string): Jws {
  const { header, ...rest } = splitJws(token, TOKEN_CHARS_MAX);
  if (header["x5c"] !== undefined) {
    throw new AuthnError("token-method", "expected the issuer's key, got a certificate (x5c)");
  }
  return { ...parseHeader(header), ...rest };
}

/**
 * The issuer that a token claims to be of: good for choosing whose keys must verify it, and for
 * nothing else. Undefined where it says none.
 */
export function claimedIssuer(token: string): string | undefined {
  try {
    const { payload } = splitJws(token, TOKEN_CHARS_MAX);
    const { iss } = parseJsonObject(payload, "payload");
    return typeof iss === "string" ? iss : undefined;
  } catch {
    // Whoever is to verify it says what is wrong with it.
    return undefined;
  }
}

export interface SplitJws extends Pick<Jws, "signingInput" | "payload" | "signature"> {
  readonly header: JsonObject;
}

/** @throws AuthnError `token-malformed` */
export function splitJws(token: string, charsMax: number): SplitJws {
  if (token.length > charsMax) {
    throw malformed(`expected a token of at most ${charsMax} characters, got ${token.length}`);
  }
  const segments = token.split(".", 4);
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || !header || !payload || !signature) {
    throw malformed("expected three segments, none of them empty");
  }
  return {
    header: parseJsonObject(decodeBase64Url(header, "header"), "header"),
    payload: decodeBase64Url(payload, "payload"),
    signature: decodeBase64Url(signature, "signature"),
    signingInput: Buffer.from(token.slice(0, header.length + 1 + payload.length), "latin1"),
  };
}

/** @throws AuthnError `token-malformed`, `token-algorithm` */
export function parseHeader(header: JsonObject): Pick<Jws, "algorithm" | "keyId"> {
  const { alg, kid, typ, crit } = header;
  if (crit !== undefined) throw malformed("no critical header extension is understood");
  if (typ !== undefined && !isJwtType(typ)) throw malformed(`typ ${quoted(typ)} is not JWT`);
  if (kid !== undefined && !isKeyId(kid)) throw malformed("kid: expected a short string");
  const algorithm = typeof alg === "string" ? findJwsAlgorithm(alg) : undefined;
  if (algorithm === undefined) {
    throw new AuthnError("token-algorithm", `alg ${quoted(alg)} is not accepted`);
  }
  return { algorithm, keyId: kid };
}

/**
 * @throws AuthnError `token-signature`, or `token-algorithm` if the key is not one for the token's
 * algorithm
 */
export function verifyJws(jws: Jws, key: VerificationKey): void {
  const { algorithm, signature, signingInput } = jws;
  if (!key.algorithms.has(algorithm)) {
    throw new AuthnError("token-algorithm", `${algorithm.name} does not fit the key`);
  }
  const keyAndOptions = { key: key.key, ...algorithm.options };
  if (!verify(algorithm.hash, signingInput, keyAndOptions, signature)) {
    throw new AuthnError("token-signature", "the signature does not match the key");
  }
}

/** @throws AuthnError `token-malformed` */
export function parseJsonObject(bytes: Buffer, what: string): JsonObject {
  // Not TextDecoder: it would forgive a byte order mark, and is slower.
  if (!isUtf8(bytes)) throw malformed(`expected the ${what} in UTF-8`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    // The engine's message quotes the input: it must not get into the log.
    throw malformed(`expected the ${what} to be JSON`);
  }
  if (isJsonObject(value)) return value;
  throw malformed(`expected the ${what} to be a JSON object`);
}

function decodeBase64Url(text: string, segment: string): Buffer {
  const bytes = Buffer.from(text, "base64url");
  // The decoder is forgiving. Only the canonical spelling survives the way back.
  if (bytes.toString("base64url") === text) return bytes;
  throw malformed(`expected the ${segment} in canonical base64url`);
}

/**
 * RFC 8725 3.11: what declares itself to be another kind of token is not one for us. Kubernetes
 * declares none.
 */
function isJwtType(typ: unknown): boolean {
  return typeof typ === "string" && typ.toUpperCase() === "JWT";
}

function isKeyId(kid: unknown): kid is string {
  return typeof kid === "string" && kid.length > 0 && kid.length <= KEY_ID_CHARS_MAX;
}

const KEY_ID_CHARS_MAX = 256;

function malformed(message: string): AuthnError {
  return new AuthnError("token-malformed", message);
}
