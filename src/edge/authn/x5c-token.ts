/**
 * The token by which a machine of another PKI asks for its first certificate: a JWS signed by the key of the certificate
 * in its header (RFC 7515 4.1.6). It is for one use, so it lives a minute.
 */

import { createPrivateKey, sign, X509Certificate, type KeyObject } from "node:crypto";
import { PortcullisError } from "../../core/error.ts";
import { parsePem } from "../../core/x509/pem.ts";

export interface X5cIdentity {
  /** PEM: the leaf first, then its intermediates. */
  readonly certificateChain: Uint8Array;
  /** PEM. */
  readonly privateKey: Uint8Array;
}

export type X5cTokenErrorCode = "x5c-key-unusable" | "x5c-key-mismatch";

export class X5cTokenError extends PortcullisError<X5cTokenErrorCode> {
  override name = "X5cTokenError";
}

const lifeSeconds = 60;
const certificatesMax = 4;

/**
 * @param tokenId unguessable, and used once
 * @throws X5cTokenError, PemError
 */
export function createX5cToken(
  { certificateChain, privateKey }: X5cIdentity,
  audience: string,
  tokenId: string,
  nowMs: number,
): string {
  const pem = Buffer.from(certificateChain).toString("latin1");
  const chain = parsePem(pem, "CERTIFICATE", { blocksMax: certificatesMax });
  const key = parseKey(privateKey);
  assertPair(chain[0] ?? new Uint8Array(), key);
  const { name, digest } = algorithmOf(key);
  const nowSeconds = Math.floor(nowMs / 1_000);
  const header = { alg: name, typ: "JWT", x5c: chain.map((der) => toBase64(der, "base64")) };
  const claims = {
    aud: audience,
    jti: tokenId,
    iat: nowSeconds,
    exp: nowSeconds + lifeSeconds,
  };
  const input = [header, claims]
    .map((part) => toBase64(Buffer.from(JSON.stringify(part))))
    .join(".");
  const signature = sign(digest, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${toBase64(signature)}`;
}

function parseKey(pem: Uint8Array): KeyObject {
  try {
    return createPrivateKey(Buffer.from(pem));
  } catch {
    // OpenSSL's error is not passed on: nobody promises what it repeats.
    throw new X5cTokenError("x5c-key-unusable", "expected an unencrypted private key in PEM");
  }
}

function assertPair(leaf: Uint8Array, key: KeyObject): void {
  if (new X509Certificate(leaf).checkPrivateKey(key)) return;
  throw new X5cTokenError("x5c-key-mismatch", "expected the key of the first certificate", {
    hint: "the machine's own certificate comes first, then its intermediates",
  });
}

/** RFC 7518 3.3, 3.4. */
function algorithmOf(key: KeyObject): { readonly name: string; readonly digest: string } {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === "rsa") return { name: "RS256", digest: "sha256" };
  if (curve === "prime256v1") return { name: "ES256", digest: "sha256" };
  if (curve === "secp384r1") return { name: "ES384", digest: "sha384" };
  const got = curve ?? key.asymmetricKeyType ?? "none";
  throw new X5cTokenError("x5c-key-unusable", `expected a P-256, P-384 or RSA key, got ${got}`);
}

function toBase64(bytes: Uint8Array, alphabet: "base64" | "base64url" = "base64url"): string {
  return Buffer.from(bytes).toString(alphabet);
}
