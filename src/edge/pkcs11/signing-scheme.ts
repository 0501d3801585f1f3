/** What a token signs and gives back, against what a certificate carries. */

import { hash } from "node:crypto";
import { octetString, oid, sequence, unsignedInteger } from "../../core/x509/der-encode.ts";
import type { PublicKey } from "../../core/x509/public-key.ts";
import { signatureAlgorithmOf } from "../../core/x509/signer.ts";
import type { Constants } from "./cryptoki.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";

export interface SigningScheme {
  /** CKM_*. */
  readonly mechanism: number;
  /** @param bytes to be signed; @returns what the token is given */
  prepare(bytes: Uint8Array): Uint8Array;
  /** @param signature as the token gives it; @returns as a certificate carries it, a copy */
  encode(signature: Uint8Array): Uint8Array;
}

/**
 * @param mechanisms that the token has
 * @throws Pkcs11Error `pkcs11-key-unsupported`
 */
export function chooseScheme(
  { CKM_ECDSA, CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS }: Constants,
  publicKey: PublicKey,
  mechanisms: readonly number[],
): SigningScheme {
  const { digest } = signatureAlgorithmOf(publicKey);
  const prehash = (bytes: Uint8Array): Uint8Array => hash(digest, bytes, "buffer");
  const schemes: readonly SigningScheme[] =
    publicKey.type === "rsa"
      ? [
          { mechanism: CKM_SHA256_RSA_PKCS, prepare: (bytes) => bytes, encode: copy },
          { mechanism: CKM_RSA_PKCS, prepare: (bytes) => digestInfo(prehash(bytes)), encode: copy },
        ]
      : [{ mechanism: CKM_ECDSA, prepare: prehash, encode: ecdsaEncoder(publicKey.bits / 8) }];
  const scheme = schemes.find(({ mechanism }) => mechanisms.includes(mechanism));
  if (scheme !== undefined) return scheme;
  throw new Pkcs11Error(
    "pkcs11-key-unsupported",
    `the token has no mechanism for signatures of an ${publicKey.type} key`,
    { hint: "expected CKM_ECDSA for EC keys, CKM_SHA256_RSA_PKCS or CKM_RSA_PKCS for RSA keys" },
  );
}

const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

/** RFC 8017 9.2: what is padded and signed, with SHA-256's parameters as NULL. */
function digestInfo(sha256: Uint8Array): Uint8Array {
  return sequence(sequence(oid(SHA_256), Uint8Array.of(0x05, 0x00)), octetString(sha256));
}

const SHA_256 = "2.16.840.1.101.3.4.2.1";

/** From r and s of the order's length (PKCS#11 3.1, 6.3.1) to ECDSA-Sig-Value (RFC 3279 2.2.3). */
function ecdsaEncoder(orderBytes: number): SigningScheme["encode"] {
  return (signature) => {
    if (signature.length !== 2 * orderBytes) {
      throw new Pkcs11Error(
        "pkcs11-unavailable",
        `expected a signature of ${2 * orderBytes} bytes from the token, got ${signature.length}`,
      );
    }
    const r = unsignedInteger(signature.subarray(0, orderBytes));
    return sequence(r, unsignedInteger(signature.subarray(orderBytes)));
  };
}
