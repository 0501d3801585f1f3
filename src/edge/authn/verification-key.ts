/**
 * One JWK (RFC 7517) as a key that signatures can be verified with, or the reason why it is passed
 * over. A key set may hold keys for other purposes and of kinds that are yet to be invented; those
 * are none of our business and must not take the others down with them (RFC 7517 5).
 */

import type { KeyObject } from "node:crypto";
import { createPublicKey } from "node:crypto";
import type { JsonObject } from "../../core/identity/json-object.ts";
import { isJsonObject } from "../../core/identity/json-object.ts";
import type { JwsAlgorithm } from "./jws-algorithm.ts";
import { findJwsAlgorithm, JWS_ALGORITHMS } from "./jws-algorithm.ts";

export interface VerificationKey {
  readonly keyId: string | undefined;
  /** The key's own word: a token's header can only choose among these (RFC 8725 3.1). */
  readonly algorithms: ReadonlySet<JwsAlgorithm>;
  readonly key: KeyObject;
}

export type JwkRefusal =
  | "not-an-object"
  /** Whoever reads the set can sign with this key. */
  | "private-key"
  | "not-for-signatures"
  | "unknown-key-type"
  | "unknown-algorithm"
  | "invalid-key-id"
  | "invalid-key"
  | "weak-key";

/** A refusal is a value: which keys were passed over, and why, is the operator's to know. */
export function parseJwk(jwk: unknown): VerificationKey | JwkRefusal {
  if (!isJsonObject(jwk)) return "not-an-object";
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) return "private-key";
  if (!isForSignatures(jwk)) return "not-for-signatures";
  const { kty, kid: keyId } = jwk;
  if (kty !== "RSA" && kty !== "EC") return "unknown-key-type";
  const algorithms = algorithmsOf(jwk);
  if (algorithms.size === 0) return "unknown-algorithm";
  if (keyId !== undefined && typeof keyId !== "string") return "invalid-key-id";
  const key = importKey(jwk);
  if (key === undefined) return "invalid-key";
  return isStrong(key) ? Object.freeze({ keyId, algorithms, key }) : "weak-key";
}

/** RFC 7518 6.2.2, 6.3.2 and 6.4.1. */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** RFC 7517 4.2 and 4.3. */
function isForSignatures(jwk: JsonObject): boolean {
  const { use, key_ops: operations } = jwk;
  if (use !== undefined && use !== "sig") return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"));
}

function algorithmsOf(jwk: JsonObject): ReadonlySet<JwsAlgorithm> {
  const { kty, crv, alg } = jwk;
  const fitting = JWS_ALGORITHMS.filter(
    (algorithm) =>
      algorithm.keyType === kty && (algorithm.keyType === "RSA" || algorithm.curve === crv),
  );
  if (alg === undefined) return new Set(fitting);
  const declared = typeof alg === "string" ? findJwsAlgorithm(alg) : undefined;
  return new Set(fitting.filter((algorithm) => algorithm === declared));
}

function importKey(jwk: JsonObject): KeyObject | undefined {
  const key = publicMembers(jwk);
  if (key === undefined) return undefined;
  try {
    // A point that is not on its curve is refused here.
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** RFC 7518 6.2.1 and 6.3.1: only these reach the crypto library. */
function publicMembers(jwk: JsonObject): PublicMembers | undefined {
  const { kty, n, e, crv, x, y } = jwk;
  if (kty === "RSA" && isString(n) && isString(e)) return { kty, n, e };
  if (kty === "EC" && isString(crv) && isString(x) && isString(y)) return { kty, crv, x, y };
  return undefined;
}

type PublicMembers =
  | { kty: "RSA"; n: string; e: string }
  | { kty: "EC"; crv: string; x: string; y: string };

function isString(value: unknown): value is string {
  return typeof value === "string";
}

/**
 * RFC 7518 3.3: at least 2048 bits. With e = 1 everybody could sign; a modulus without bound costs
 * without bound.
 */
function isStrong(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "rsa") return true;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX) return false;
  return publicExponent >= 3n && publicExponent % 2n === 1n && publicExponent < RSA_EXPONENT_END;
}

const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
const RSA_EXPONENT_END = 2n ** 32n;
