/**
 * Public keys between SubjectPublicKeyInfo, as X.509 and our bundles hold them, and JWK (RFC 7518
 * 6.2 and 6.3), as documents show them. Members of a private key are refused: whoever read them
 * could sign.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import { PortcullisError } from "../error.ts";
import type { JsonObject } from "../identity/json-object.ts";

export type JwkErrorCode = "jwk-private-key" | "jwk-malformed" | "jwk-weak";

export class JwkError extends PortcullisError<JwkErrorCode> {
  override name = "JwkError";
}

/** `kty` and the members of the key, nothing else. @throws JwkError */
export function jwkOfSpki(spki: Uint8Array): JsonObject {
  const key = importKey(() =>
    createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }),
  );
  return { ...key.export({ format: "jwk" }) };
}

/** @throws JwkError */
export function spkiOfJwk(jwk: JsonObject): Uint8Array {
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) {
    throw new JwkError("jwk-private-key", "expected a public key, got a private one");
  }
  const { kty, n, e, crv, x, y } = jwk;
  // Only these reach the crypto library, which refuses what is missing and a point off its curve.
  const key = importKey(() =>
    createPublicKey({
      key: (kty === "RSA" ? { kty, n, e } : { kty, crv, x, y }) as never,
      format: "jwk",
    }),
  );
  return new Uint8Array(key.export({ format: "der", type: "spki" }));
}

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const RSA_BITS_MIN = 2048;
/** Verification costs the square of this. */
const RSA_BITS_MAX = 8192;

function importKey(read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (cause) {
    throw new JwkError("jwk-malformed", "expected a public key", { cause });
  }
  if (isUsable(key)) return key;
  throw new JwkError("jwk-weak", "expected P-256, P-384, P-521, or RSA of 2048 to 8192 bits");
}

function isUsable({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  const { namedCurve = "", modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === "ec") return CURVES.has(namedCurve);
  if (asymmetricKeyType !== "rsa") return false;
  // With exponent 1 everybody could sign.
  const isInRange = modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX;
  return isInRange && publicExponent >= 3n && publicExponent % 2n === 1n;
}
