/**
 * JWS whose key is in a certificate in its header (RFC 7515 4.1.6). Nothing here says whether that
 * certificate is worth anything; whoever reads the header must not believe the key before the chain
 * is verified.
 */

import { AuthnError } from "../../core/identity/authn-error.ts";
import { parsePublicKey, type PublicKey } from "../../core/x509/public-key.ts";
import { createPublicKey } from "node:crypto";
import { findJwsAlgorithm, type JwsAlgorithm } from "./jws-algorithm.ts";
import { parseHeader, splitJws, type Jws } from "./jws.ts";
import type { VerificationKey } from "./verification-key.ts";

export interface X5cJws {
  readonly jws: Jws;
  /** The leaf first, DER. */
  readonly chain: readonly Uint8Array[];
}

/** @throws AuthnError `token-malformed`, `token-algorithm`, `token-method` without `x5c` */
export function parseX5cJws(token: string): X5cJws {
  const { header, ...rest } = splitJws(token, X5C_TOKEN_CHARS_MAX);
  if (header["x5c"] === undefined) {
    throw new AuthnError("token-method", "expected a certificate (x5c) in the header");
  }
  const chain = parseCertificates(header["x5c"]);
  return { jws: { ...parseHeader(header), ...rest }, chain };
}

/**
 * Whether the header has `x5c`, whatever it is worth. Of what is no JWS the answer is no.
 */
export function hasX5c(token: string): boolean {
  try {
    return splitJws(token, X5C_TOKEN_CHARS_MAX).header["x5c"] !== undefined;
  } catch {
    return false;
  }
}

/** @throws PublicKeyError, DerError; strangers choose the key, so it is judged before it is used */
export function verificationKeyOf(spki: Uint8Array): VerificationKey {
  const { type } = parsePublicKey(spki);
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  return { keyId: undefined, algorithms: ALGORITHMS[type], key };
}

/** Three RSA-4096 certificates, in base64 twice. gRPC takes 16 KiB of headers. */
const X5C_TOKEN_CHARS_MAX = 12_288;
const CERTIFICATES_MAX = 4;

/** RFC 7515 4.1.6: base64 with padding, unlike everything else in a JWS. */
function parseCertificates(x5c: unknown): readonly Uint8Array[] {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > CERTIFICATES_MAX) {
    throw malformed();
  }
  return x5c.map((text: unknown) => {
    if (typeof text !== "string" || text === "") throw malformed();
    const der = Buffer.from(text, "base64");
    // The decoder is forgiving. Only the canonical spelling survives the way back.
    if (der.toString("base64") !== text) throw malformed();
    return der;
  });
}

function malformed(): AuthnError {
  const message = `x5c: expected 1 to ${CERTIFICATES_MAX} certificates in canonical base64`;
  return new AuthnError("token-malformed", message);
}

const ALGORITHMS: Readonly<Record<PublicKey["type"], ReadonlySet<JwsAlgorithm>>> = {
  "ec-p256": algorithms("ES256"),
  "ec-p384": algorithms("ES384"),
  rsa: algorithms("RS256", "PS256"),
};

function algorithms(...names: readonly string[]): ReadonlySet<JwsAlgorithm> {
  return new Set(names.flatMap((name) => findJwsAlgorithm(name) ?? []));
}
