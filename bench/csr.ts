/**
 * CSRs of the shape that an Istio agent sends (RFC 2986; the SAN asked for in an extensionRequest,
 * RFC 2985 5.4.2; one empty organization as the subject). The server under test must look at the
 * key and the signature only.
 */

import { generateKeyPairSync, sign } from "node:crypto";
import {
  bitString,
  booleanTrue,
  explicit,
  implicit,
  octetString,
  oid,
  sequence,
  set,
  unsignedInteger,
  utf8String,
} from "../src/core/x509/der-encode.ts";

const SAN_URI = 6;
const ORGANIZATION = oid("2.5.4.10");
const EXTENSION_REQUEST = oid("1.2.840.113549.1.9.14");
const SUBJECT_ALT_NAME = oid("2.5.29.17");
const ECDSA_WITH_SHA256 = oid("1.2.840.10045.4.3.2");

/** A CSR in DER for `spiffeId`, with a new P-256 key that is thrown away. */
export function makeCsr(spiffeId: string): Uint8Array {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = sequence(set(sequence(ORGANIZATION, utf8String(""))));
  const names = sequence(implicit(SAN_URI, Buffer.from(spiffeId)));
  const extension = sequence(SUBJECT_ALT_NAME, booleanTrue, octetString(names));
  const attributes = explicit(0, sequence(EXTENSION_REQUEST, set(sequence(extension))));
  const info = sequence(
    unsignedInteger(Uint8Array.of(0)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    attributes,
  );
  return sequence(info, sequence(ECDSA_WITH_SHA256), bitString(sign("sha256", info, privateKey)));
}
