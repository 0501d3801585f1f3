/**
 * How signing keys lie in the store: PKCS#8, encrypted under the operator's passphrase where there is one (RFC 8018 6.2:
 * PBES2 with AES-256). Which of the two it is stands in the DER itself.
 */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { DerReader } from "../../core/x509/der.ts";
import { TAG } from "../../core/x509/der-tag.ts";

/** A PrivateKeyInfo begins with its version, an EncryptedPrivateKeyInfo with an algorithm (RFC 5958 2, 3). */
export function isEncryptedKey(der: Uint8Array): boolean {
  return DerReader.within(der, TAG.sequence).nextIs(TAG.sequence);
}

export function encryptKey(key: KeyObject, passphrase: Uint8Array): Uint8Array {
  return key.export({
    format: "der",
    type: "pkcs8",
    cipher: "aes-256-cbc",
    passphrase: Buffer.from(passphrase),
  });
}

/** @throws Error for a passphrase that is not the key's, or none where one is needed */
export function readKey(der: Uint8Array, passphrase: Uint8Array | undefined): KeyObject {
  return createPrivateKey({
    key: Buffer.from(der),
    format: "der",
    type: "pkcs8",
    ...(passphrase !== undefined && { passphrase: Buffer.from(passphrase) }),
  });
}
