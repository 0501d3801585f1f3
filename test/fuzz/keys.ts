/** Keys that are the same each time and nowhere written down: what a corpus is signed with, and nothing else ever. */

import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
} from "node:crypto";
import { sequence, oid } from "../support/der.ts";
import type { TestKey } from "../support/csr.ts";

/** PKCS #8 of Ed25519 (RFC 8410 7) before the key itself. */
const ED25519_START = Buffer.from("302e020100300506032b657004220420", "hex");

export interface P256Key extends TestKey {
  readonly publicKey: KeyObject;
}

export function p256Key(label: string): P256Key {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(digestOf(label));
  const point = ecdh.getPublicKey();
  const coordinate = (start: number) => point.subarray(start, start + 32).toString("base64url");
  const publicJwk = { kty: "EC", crv: "P-256", x: coordinate(1), y: coordinate(33) };
  const d = digestOf(label).toString("base64url");
  const privateKey = createPrivateKey({ key: { ...publicJwk, d }, format: "jwk" });
  const publicKey = createPublicKey(privateKey);
  const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
  return { privateKey, publicKey, spki, algorithm: sequence(oid("1.2.840.10045.4.3.2")) };
}

export function ed25519Key(label: string): KeyObject {
  const key = Buffer.concat([ED25519_START, digestOf(label)]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

function digestOf(label: string): Buffer {
  return createHash("sha256").update(`portcullis fuzz corpus: ${label}`).digest();
}
