/**
 * The to-be-signed bytes of a leaf certificate (RFC 5280 4.1), laid out once for each authority and profile so that a
 * signature costs little more than itself. Lengths are computed, never searched for.
 */

import {
  booleanTrue,
  explicit,
  implicit,
  namedBits,
  octetString,
  oid,
  sequence,
  time,
  tlv,
  unsignedInteger,
} from "./der-encode.ts";
import type { LeafProfile } from "./profile.ts";
import type { PublicKey } from "./public-key.ts";
import { subjectKeyIdentifier, type SignatureAlgorithm, type Signer } from "./signer.ts";

/** Subject alternative names (RFC 5280 4.2.1.6): a workload has one URI, a control plane names and addresses. */
export interface SubjectAltNames {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** 4 or 16 octets each. */
  readonly ipAddresses?: readonly Uint8Array[];
}

export interface LeafFields {
  /** 16 random octets. */
  readonly serial: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly subjectAltNames: SubjectAltNames;
  readonly publicKey: PublicKey;
}

export type LeafEncoder = (fields: LeafFields) => Uint8Array;

export interface LeafIssuer {
  /** The signing certificate's subject, as DER. */
  readonly name: Uint8Array;
  /** Its subject key identifier. */
  readonly keyId: Uint8Array;
}

export function leafEncoder(
  profile: LeafProfile,
  { identifier }: SignatureAlgorithm,
  issuer: LeafIssuer,
): LeafEncoder {
  const keyUsage = {
    ec: extension("2.5.29.15", true)(namedBits(profile.keyUsage.ec)),
    rsa: extension("2.5.29.15", true)(namedBits(profile.keyUsage.rsa)),
  };
  const fixedExtensions = [
    extension("2.5.29.37", false)(sequence(...profile.extendedKeyUsages.map(oid))),
    // An empty BasicConstraints says CA:FALSE (RFC 5280 4.2.1.9).
    extension("2.5.29.19", true)(sequence()),
    extension("2.5.29.35", false)(sequence(implicit(0, issuer.keyId))),
  ];
  const validity = memoizeLast((notBeforeMs: number, notAfterMs: number) =>
    sequence(time(notBeforeMs), time(notAfterMs)),
  );
  return ({ serial, notBeforeMs, notAfterMs, subjectAltNames, publicKey }) =>
    sequence(
      version3,
      unsignedInteger(serial),
      identifier,
      issuer.name,
      validity(notBeforeMs, notAfterMs),
      emptyName,
      publicKey.spki,
      explicit(
        3,
        sequence(
          publicKey.type === "rsa" ? keyUsage.rsa : keyUsage.ec,
          ...fixedExtensions,
          subjectKeyIdentifierExtension(octetString(subjectKeyIdentifier(publicKey.spki))),
          subjectAltNameExtension(sequence(...generalNames(subjectAltNames))),
        ),
      ),
    );
}

/** The certificate around signed bytes (RFC 5280 4.1). */
export function encodeCertificate(
  tbs: Uint8Array,
  signer: Signer,
  signature: Uint8Array,
): Uint8Array {
  return sequence(tbs, signer.algorithm.identifier, tlv(0x03, noUnusedBits, signature));
}

const version3 = explicit(0, Uint8Array.of(0x02, 0x01, 0x02));
const emptyName = sequence();
const noUnusedBits = Uint8Array.of(0);

const subjectKeyIdentifierExtension = extension("2.5.29.14", false);
/** Critical, because the subject is empty (X509-SVID 3.1, RFC 5280 4.2.1.6). */
const subjectAltNameExtension = extension("2.5.29.17", true);

/** The encoder of one extension; what does not depend on the value is encoded here, once. */
function extension(id: string, critical: boolean): (value: Uint8Array) => Uint8Array {
  const head = [oid(id), ...(critical ? [booleanTrue] : [])];
  return (value) => sequence(...head, octetString(value));
}

/** Whoever is signed for in the same second has the same validity, and formatting it is dear. */
function memoizeLast<T>(make: (a: number, b: number) => T): (a: number, b: number) => T {
  let last: { readonly a: number; readonly b: number; readonly made: T } | undefined;
  return (a, b) => {
    if (last?.a !== a || last.b !== b) last = { a, b, made: make(a, b) };
    return last.made;
  };
}

function generalNames(names: SubjectAltNames): Uint8Array[] {
  return [
    ...(names.uris ?? []).map((uri) => implicit(6, Buffer.from(uri, "latin1"))),
    ...(names.dnsNames ?? []).map((name) => implicit(2, Buffer.from(name, "latin1"))),
    ...(names.ipAddresses ?? []).map((address) => implicit(7, address)),
  ];
}
