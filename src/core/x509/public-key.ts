/**
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7) of the keys that we certify: EC on P-256 and P-384, and
 * RSA. Others are refused by name. What this returns is fit to certify: a point is on its curve, an
 * RSA key is big enough to be safe, small enough to be verified on every call, and its exponent
 * makes it a signature scheme at all.
 */

import { PortcullisError } from "../error.ts";
import { DerReader } from "./der.ts";
import { TAG } from "./der-tag.ts";
import { isOnCurve, P256, P384 } from "./curve.ts";
import type { Curve } from "./curve.ts";
import { describeOid, OID } from "./oid.ts";
import { readAlgorithmIdentifier } from "./pkix.ts";

export type PublicKeyErrorCode =
  | "key-type-unsupported"
  | "key-curve-unsupported"
  | "key-curve-not-named"
  | "key-point-compressed"
  | "key-point-malformed"
  | "key-point-not-on-curve"
  | "key-rsa-parameters-invalid"
  | "key-rsa-modulus-invalid"
  | "key-rsa-too-small"
  | "key-rsa-too-large"
  | "key-rsa-exponent-invalid";

export class PublicKeyError extends PortcullisError<PublicKeyErrorCode> {
  override name = "PublicKeyError";
}

export type KeyType = "ec-p256" | "ec-p384" | "rsa";

export interface PublicKey {
  /** SubjectPublicKeyInfo in DER: a view of the bytes that were parsed. */
  readonly spki: Uint8Array;
  readonly type: KeyType;
  /** Of the field for EC, of the modulus for RSA. */
  readonly bits: number;
}

const RSA_BITS_MIN = 2048;
/** Verification costs the square of this, and strangers choose the key. */
const RSA_BITS_MAX = 8192;
const RSA_EXPONENT_MAX = 2 ** 33 - 1;

const CURVES: ReadonlyMap<string, Curve & { readonly type: KeyType }> = new Map([
  [OID.curveP256, { ...P256, type: "ec-p256" }],
  [OID.curveP384, { ...P384, type: "ec-p384" }],
]);

/** @throws PublicKeyError, DerError */
export function parsePublicKey(spki: Uint8Array): PublicKey {
  const reader = DerReader.within(spki, TAG.sequence);
  const { oid, parameters } = readAlgorithmIdentifier(reader);
  switch (oid) {
    case OID.ecPublicKey:
      return readEcKey(spki, parameters, reader);
    case OID.rsaEncryption:
      return readRsaKey(spki, parameters, reader);
    default:
      throw new PublicKeyError(
        "key-type-unsupported",
        `expected a key on P-256 or P-384 or an RSA key, got ${describeOid(oid)}`,
      );
  }
}

/** RFC 5480 2. */
function readEcKey(spki: Uint8Array, parameters: DerReader, reader: DerReader): PublicKey {
  if (!parameters.nextIs(TAG.oid)) {
    throw new PublicKeyError("key-curve-not-named", "expected a named curve (RFC 5480 2.1.1)");
  }
  const curveOid = parameters.readOid();
  parameters.expectEnd();
  const curve = CURVES.get(curveOid);
  if (curve === undefined) {
    throw new PublicKeyError(
      "key-curve-unsupported",
      `expected curve P-256 or P-384, got ${describeOid(curveOid)}`,
    );
  }
  const point = reader.readOctetAlignedBitString();
  reader.expectEnd();
  assertPoint(point, curve);
  return Object.freeze({ spki, type: curve.type, bits: curve.fieldBytes * 8 });
}

/** SEC 1 2.3.4: only the uncompressed form, as every peer reads it. */
function assertPoint(point: Uint8Array, curve: Curve): void {
  const form = point[0];
  if (form === 0x02 || form === 0x03) {
    throw new PublicKeyError("key-point-compressed", "expected an uncompressed EC point");
  }
  if (form !== 0x04 || point.length !== 1 + 2 * curve.fieldBytes) {
    throw new PublicKeyError(
      "key-point-malformed",
      `expected an uncompressed EC point of ${1 + 2 * curve.fieldBytes} bytes, got ${point.length}`,
    );
  }
  const y = 1 + curve.fieldBytes;
  if (!isOnCurve(curve, point.subarray(1, y), point.subarray(y))) {
    throw new PublicKeyError("key-point-not-on-curve", "expected an EC point on its curve");
  }
}

/** RFC 3279 2.3.1. */
function readRsaKey(spki: Uint8Array, parameters: DerReader, reader: DerReader): PublicKey {
  if (!parameters.nextIs(TAG.null)) {
    throw new PublicKeyError(
      "key-rsa-parameters-invalid",
      "expected NULL parameters of an RSA key",
    );
  }
  parameters.readNull();
  parameters.expectEnd();
  const key = DerReader.within(reader.readOctetAlignedBitString(), TAG.sequence);
  reader.expectEnd();
  const bits = modulusBits(key.readInteger());
  assertExponent(key.readInteger());
  key.expectEnd();
  return Object.freeze({ spki, type: "rsa", bits });
}

function modulusBits(modulus: Uint8Array): number {
  const isOdd = ((modulus.at(-1) ?? 0) & 1) === 1;
  const bits = unsignedBits(modulus);
  if (bits === undefined || !isOdd) {
    throw new PublicKeyError("key-rsa-modulus-invalid", "expected an odd, positive RSA modulus");
  }
  if (bits < RSA_BITS_MIN) {
    throw new PublicKeyError(
      "key-rsa-too-small",
      `expected an RSA key of at least ${RSA_BITS_MIN} bits, got ${bits}`,
    );
  }
  if (bits > RSA_BITS_MAX) {
    throw new PublicKeyError(
      "key-rsa-too-large",
      `expected an RSA key of at most ${RSA_BITS_MAX} bits, got ${bits}`,
    );
  }
  return bits;
}

/** With exponent 1 every message is its own signature; an even one belongs to no RSA key. */
function assertExponent(exponent: Uint8Array): void {
  const bits = unsignedBits(exponent);
  let value = 0;
  if (bits !== undefined && bits <= 34) for (const octet of exponent) value = value * 256 + octet;
  if (value < 3 || value % 2 === 0 || value > RSA_EXPONENT_MAX) {
    throw new PublicKeyError(
      "key-rsa-exponent-invalid",
      `expected an odd RSA exponent from 3 to ${RSA_EXPONENT_MAX}`,
    );
  }
}

/** @returns undefined for a negative number */
function unsignedBits(contents: Uint8Array): number | undefined {
  const first = contents[0] ?? 0;
  if (first >= 0x80) return undefined;
  return contents.length * 8 - (Math.clz32(first) - 24);
}
