/**
 * A private key in a token, found by its URI, and the public key that belongs to it as
 * SubjectPublicKeyInfo.
 */

import type { Attribute, Handle } from "pkcs11js";
import { bitString, oid, sequence, unsignedInteger } from "../../core/x509/der-encode.ts";
import { DerReader } from "../../core/x509/der.ts";
import { TAG } from "../../core/x509/der-tag.ts";
import { OID } from "../../core/x509/oid.ts";
import { readAttribute, readUlong, type CryptokiModule } from "./cryptoki.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";
import type { KeyCriteria } from "./pkcs11-uri.ts";

/** @throws Pkcs11Error `pkcs11-key-not-found`, `pkcs11-key-ambiguous`; the module's own errors */
export function findPrivateKey(
  module: CryptokiModule,
  session: Handle,
  { label, id }: KeyCriteria,
): Handle {
  const { CKA_CLASS, CKA_ID, CKA_LABEL, CKO_PRIVATE_KEY } = module.constants;
  const template: Attribute[] = [{ type: CKA_CLASS, value: CKO_PRIVATE_KEY }];
  if (label !== undefined) template.push({ type: CKA_LABEL, value: label });
  if (id !== undefined) template.push({ type: CKA_ID, value: Buffer.from(id) });
  const [only, second] = findTwo(module, session, template);
  if (only === undefined) {
    throw new Pkcs11Error("pkcs11-key-not-found", "the token has no private key of the URI", {
      hint: "compare object= and id= of the URI with what the vendor's tool lists",
    });
  }
  if (second === undefined) return only;
  throw new Pkcs11Error(
    "pkcs11-key-ambiguous",
    "expected one private key of the URI, got several",
    {
      hint: "add id=%XX, the key's CKA_ID, to the URI",
    },
  );
}

/**
 * From the token's public key object: one that has the private key's CKA_ID, or its label where
 * that is empty.
 *
 * @returns what the token says: only a signature proves it
 * @throws Pkcs11Error `pkcs11-public-key-missing`, `pkcs11-key-*`; the module's own errors
 */
export function readPublicKey(module: CryptokiModule, session: Handle, key: Handle): Uint8Array {
  const { CKA_CLASS, CKA_ID, CKA_LABEL, CKO_PUBLIC_KEY } = module.constants;
  const read = (type: number): Uint8Array => readAttribute(module, session, key, type) ?? noBytes;
  const id = read(CKA_ID);
  const [type, value] = id.length > 0 ? [CKA_ID, id] : [CKA_LABEL, read(CKA_LABEL)];
  const [only, second] = findTwo(module, session, [
    { type: CKA_CLASS, value: CKO_PUBLIC_KEY },
    { type, value: Buffer.from(value) },
  ]);
  if (only === undefined) {
    throw new Pkcs11Error("pkcs11-public-key-missing", "the token has no public key of this key", {
      hint: "import the public key with the CKA_ID of the private one, or give the certificate",
    });
  }
  if (second !== undefined) {
    throw new Pkcs11Error("pkcs11-key-ambiguous", "expected one public key, got several", {
      hint: "give each pair of keys its own CKA_ID",
    });
  }
  return encodeSpki(module, session, only);
}

const noBytes: Uint8Array = new Uint8Array(0);
const derNull = Uint8Array.of(0x05, 0x00);

function findTwo(
  { functions }: CryptokiModule,
  session: Handle,
  template: readonly Attribute[],
): readonly Handle[] {
  functions.C_FindObjectsInit(session, [...template]);
  try {
    return functions.C_FindObjects(session, 2);
  } finally {
    functions.C_FindObjectsFinal(session);
  }
}

function encodeSpki(module: CryptokiModule, session: Handle, key: Handle): Uint8Array {
  const { constants } = module;
  const read = (type: number): Uint8Array => {
    const value = readAttribute(module, session, key, type);
    if (value !== undefined) return value;
    throw new Pkcs11Error("pkcs11-key-unsupported", "the token's public key lacks an attribute");
  };
  switch (Number(readUlong(read(constants.CKA_KEY_TYPE)))) {
    case constants.CKK_EC: {
      const algorithm = sequence(oid(OID.ecPublicKey), read(constants.CKA_EC_PARAMS));
      return sequence(algorithm, bitString(uncompressedPoint(read(constants.CKA_EC_POINT))));
    }
    case constants.CKK_RSA: {
      const modulus = unsignedInteger(read(constants.CKA_MODULUS));
      const exponent = unsignedInteger(read(constants.CKA_PUBLIC_EXPONENT));
      const algorithm = sequence(oid(OID.rsaEncryption), derNull);
      return sequence(algorithm, bitString(sequence(modulus, exponent)));
    }
    default:
      throw new Pkcs11Error("pkcs11-key-unsupported", "expected an EC key or an RSA key");
  }
}

/**
 * PKCS#11 3.1, 6.3.3 wants the point in an OCTET STRING; some tokens give it bare. Both begin with
 * 0x04: the length tells which it is.
 */
function uncompressedPoint(value: Uint8Array): Uint8Array {
  if (BARE_POINT_LENGTHS.has(value.length)) return value;
  return DerReader.over(value).readContents(TAG.octetString);
}

/** On P-256 and on P-384. */
const BARE_POINT_LENGTHS: ReadonlySet<number> = new Set([65, 97]);
