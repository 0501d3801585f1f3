/** CSRs for tests, with any part replaced, signed by a real key. */

import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { bitString, explicit, integer, nullValue, oid, sequence } from "./der.ts";

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  /** AlgorithmIdentifier of its signatures with SHA-256. */
  readonly algorithm: Uint8Array;
}

export function ecTestKey(namedCurve: "P-256" | "P-384"): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  return testKey(publicKey, privateKey, sequence(oid("1.2.840.10045.4.3.2")));
}

export function rsaTestKey(modulusLength: number): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
  return testKey(publicKey, privateKey, sequence(oid("1.2.840.113549.1.1.11"), nullValue()));
}

export interface CsrParts {
  readonly version?: Uint8Array;
  readonly subject?: Uint8Array;
  readonly spki?: Uint8Array;
  readonly attributes?: Uint8Array;
  readonly algorithm?: Uint8Array;
  /** The whole BIT STRING. */
  readonly signature?: Uint8Array;
  readonly hash?: string;
}

export function makeCsr(key: TestKey, parts: CsrParts = {}): Uint8Array {
  const info = sequence(
    parts.version ?? integer(0n),
    parts.subject ?? sequence(),
    parts.spki ?? key.spki,
    parts.attributes ?? explicit(0),
  );
  return signCsr(key, info, parts);
}

/** @param info CertificationRequestInfo, or whatever stands in its place */
export function signCsr(key: TestKey, info: Uint8Array, parts: CsrParts = {}): Uint8Array {
  const signature =
    parts.signature ?? bitString(sign(parts.hash ?? "sha256", info, key.privateKey));
  return sequence(info, parts.algorithm ?? key.algorithm, signature);
}

function testKey(publicKey: KeyObject, privateKey: KeyObject, algorithm: Uint8Array): TestKey {
  const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
  return { privateKey, spki, algorithm };
}
