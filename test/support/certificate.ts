/**
 * Certificates for tests of readers: any part can be replaced, and nobody has really signed them.
 */

import {
  bitString,
  boolean,
  commonName,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  text,
} from "./der.ts";

export interface CertificateParts {
  readonly version?: Uint8Array;
  readonly serial?: Uint8Array;
  readonly innerAlgorithm?: Uint8Array;
  readonly issuer?: Uint8Array;
  readonly validity?: Uint8Array;
  readonly subject?: Uint8Array;
  readonly spki?: Uint8Array;
  readonly uniqueIds?: Uint8Array;
  /** With its explicit tag. */
  readonly extensions?: Uint8Array;
  readonly outerAlgorithm?: Uint8Array;
  readonly signature?: Uint8Array;
}

const ecdsaSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const anyKey = sequence(sequence(oid("1.2.3")), bitString(Uint8Array.of(1, 2, 3)));

export function makeCertificate(parts: CertificateParts = {}): Uint8Array {
  const tbs = sequence(
    parts.version ?? explicit(0, integer(2n)),
    parts.serial ?? integer(0xabcdefn),
    parts.innerAlgorithm ?? ecdsaSha256,
    parts.issuer ?? commonName("issuer"),
    parts.validity ?? sequence(text(0x17, "260101000000Z"), text(0x17, "260102000000Z")),
    parts.subject ?? sequence(),
    parts.spki ?? anyKey,
    parts.uniqueIds ?? Uint8Array.of(),
    parts.extensions ?? Uint8Array.of(),
  );
  const signature = parts.signature ?? bitString(Uint8Array.of(9, 9, 9));
  return sequence(tbs, parts.outerAlgorithm ?? ecdsaSha256, signature);
}

export function extensions(...list: readonly Uint8Array[]): Uint8Array {
  return explicit(3, sequence(...list));
}

/** @param value the DER that goes into `extnValue` */
export function extension(dotted: string, value: Uint8Array, critical = false): Uint8Array {
  return critical
    ? sequence(oid(dotted), boolean(true), octetString(value))
    : sequence(oid(dotted), octetString(value));
}
