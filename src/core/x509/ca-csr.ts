/**
 * The request for an intermediate's certificate (PKCS #10, RFC 2986), for an offline root to sign. It asks for what the
 * profile of an issuing CA needs; what the root's operator makes of it is verified when it comes back.
 */

import {
  bitString,
  booleanTrue,
  explicit,
  namedBits,
  octetString,
  oid,
  sequence,
  set,
  unsignedInteger,
  utf8String,
} from "./der-encode.ts";
import { OID } from "./oid.ts";
import { KeyUsage } from "./profile.ts";
import type { Signer } from "./signer.ts";

/** @returns DER */
export function createCaCsr(trustDomain: string, signer: Signer): Uint8Array {
  const info = sequence(
    unsignedInteger(Uint8Array.of(0)),
    subject(trustDomain, signer.id),
    signer.publicKey.spki,
    // Attributes are [0] IMPLICIT SET OF.
    explicit(0, sequence(oid(EXTENSION_REQUEST), set(extensions(signer.id)))),
  );
  return sequence(info, signer.algorithm.identifier, bitString(signer.sign(info)));
}

const ORGANIZATION = "2.5.4.10";
const COMMON_NAME = "2.5.4.3";
/** RFC 2985 5.4.2. */
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
/** X.520's upper bound; a trust domain may be longer. */
const ORGANIZATION_LENGTH_MAX = 64;

/** A name of its own for each key: verifiers look issuers up by name, and a renewal has two. */
function subject(trustDomain: string, keyId: string): Uint8Array {
  return sequence(
    attribute(ORGANIZATION, trustDomain.slice(0, ORGANIZATION_LENGTH_MAX)),
    attribute(COMMON_NAME, `Portcullis intermediate ${keyId.slice(0, 16)}`),
  );
}

function attribute(type: string, value: string): Uint8Array {
  return set(sequence(oid(type), utf8String(value)));
}

/** Path length 0: it signs workloads and nothing that signs (RFC 5280 4.2.1.9). */
function extensions(keyId: string): Uint8Array {
  const noCaBelow = sequence(booleanTrue, unsignedInteger(Uint8Array.of(0)));
  const usage = namedBits([KeyUsage.keyCertSign, KeyUsage.cRLSign]);
  return sequence(
    sequence(oid(OID.basicConstraints), booleanTrue, octetString(noCaBelow)),
    sequence(oid(OID.keyUsage), booleanTrue, octetString(usage)),
    sequence(oid(OID.subjectKeyIdentifier), octetString(octetString(Buffer.from(keyId, "hex")))),
  );
}
