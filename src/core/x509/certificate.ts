/**
 * X.509 v3 certificates (RFC 5280 4.1), read strictly. This is the second opinion on what the CA
 * itself just signed, so it shares no code with the encoder; it also reads the roots and chains
 * that operators import. It checks form only: whether a certificate is fit for a purpose, in date,
 * or signed by anybody is for its callers.
 */

import { equalBytes } from "../bytes.ts";
import { CertificateError } from "./certificate-error.ts";
import {
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseKeyUsage,
  parseSubjectAltName,
  parseSubjectKeyIdentifier,
  readDefaultFalse,
} from "./certificate-extensions.ts";
import { DerReader } from "./der.ts";
import { constructedContextTag, primitiveContextTag, TAG } from "./der-tag.ts";
import { readTime } from "./der-time.ts";
import { OID } from "./oid.ts";
import { readAlgorithmElement, readName } from "./pkix.ts";

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The contents of `extnValue`. */
  readonly value: Uint8Array;
}

/** What is signed (RFC 5280 4.1.2). Byte arrays are views of `tbs`. */
export interface TbsCertificate {
  readonly tbs: Uint8Array;
  /** Contents octets of a positive INTEGER: a leading 00 is the sign. */
  readonly serial: Uint8Array;
  /** Lower case, without the sign octet. */
  readonly serialHex: string;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spki: Uint8Array;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly Uint8Array[];
  /** SAN entries of types other than these three. */
  readonly otherSanCount: number;
  readonly sanCritical: boolean;
  /** Named bit n of KeyUsage (RFC 5280 4.2.1.3) is `1 << n`; 0 without the extension. */
  readonly keyUsage: number;
  /** OIDs in dotted form; empty without the extension. */
  readonly extendedKeyUsages: readonly string[];
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  /** AlgorithmIdentifier; a certificate has the same one outside of `tbs`. */
  readonly signatureAlgorithmDer: Uint8Array;
  readonly extensions: readonly Extension[];
}

/** Byte arrays are views of `der`. */
export interface Certificate extends TbsCertificate {
  readonly der: Uint8Array;
  readonly signature: Uint8Array;
}

/** The outer structure (RFC 5280 4.1.1); what is in `tbs` has not been looked at. */
export interface CertificateShell {
  readonly tbs: Uint8Array;
  readonly signatureAlgorithmDer: Uint8Array;
  readonly signature: Uint8Array;
}

const CERTIFICATE_BYTES_MAX = 64 * 1024;
/** RFC 5280 4.1.2.2. */
const SERIAL_BYTES_MAX = 20;
const NONE: readonly never[] = Object.freeze([]);
const VERSION = constructedContextTag(0);
const ISSUER_UNIQUE_ID = primitiveContextTag(1);
const SUBJECT_UNIQUE_ID = primitiveContextTag(2);
const EXTENSIONS = constructedContextTag(3);

/** @throws CertificateError, DerError */
export function parseCertificate(der: Uint8Array): Certificate {
  const { tbs, signatureAlgorithmDer, signature } = openCertificate(der);
  const read = readTbs(tbs);
  if (!equalBytes(read.signatureAlgorithmDer, signatureAlgorithmDer)) {
    throw new CertificateError(
      "certificate-signature-algorithm-mismatch",
      "expected the same signature algorithm inside and outside (RFC 5280 4.1.1.2)",
    );
  }
  return Object.freeze({ ...read, der, signature });
}

/**
 * What a certificate will say, before it is signed.
 *
 * @throws CertificateError, DerError
 */
export function parseTbs(tbs: Uint8Array): TbsCertificate {
  assertSize(tbs);
  return Object.freeze(readTbs(tbs));
}

/** @throws CertificateError, DerError */
export function openCertificate(der: Uint8Array): CertificateShell {
  assertSize(der);
  const certificate = DerReader.within(der, TAG.sequence);
  const tbsStart = certificate.position;
  certificate.readContents(TAG.sequence);
  const tbs = certificate.since(tbsStart);
  const signatureAlgorithmDer = readAlgorithmElement(certificate);
  const signature = certificate.readOctetAlignedBitString();
  certificate.expectEnd();
  return { tbs, signatureAlgorithmDer, signature };
}

function assertSize({ length }: Uint8Array): void {
  if (length <= CERTIFICATE_BYTES_MAX) return;
  throw new CertificateError(
    "certificate-too-large",
    `expected a certificate of at most ${CERTIFICATE_BYTES_MAX} bytes, got ${length}`,
  );
}

interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** RFC 5280 4.1. */
function readTbs(der: Uint8Array): TbsCertificate {
  const tbs = DerReader.within(der, TAG.sequence);
  assertVersion3(tbs);
  const serial = readSerial(tbs);
  const signatureAlgorithmDer = readAlgorithmElement(tbs);
  const issuerDer = readName(tbs);
  const { notBeforeMs, notAfterMs } = readValidity(tbs.enter(TAG.sequence));
  const subjectDer = readName(tbs);
  const spki = readSpki(tbs);
  assertNoUniqueIds(tbs);
  const extensions = tbs.atEnd ? new Map<string, Extension>() : readExtensions(tbs);
  tbs.expectEnd();
  const san = interpret(extensions, OID.subjectAltName, parseSubjectAltName);
  const basicConstraints = interpret(extensions, OID.basicConstraints, parseBasicConstraints);
  return {
    tbs: der,
    serial,
    serialHex: serialHex(serial),
    issuerDer,
    subjectDer,
    notBeforeMs,
    notAfterMs,
    spki,
    uris: san?.uris ?? NONE,
    dnsNames: san?.dnsNames ?? NONE,
    ipAddresses: san?.ipAddresses ?? NONE,
    otherSanCount: san?.otherNameCount ?? 0,
    sanCritical: extensions.get(OID.subjectAltName)?.critical ?? false,
    keyUsage: interpret(extensions, OID.keyUsage, parseKeyUsage) ?? 0,
    extendedKeyUsages: interpret(extensions, OID.extendedKeyUsage, parseExtendedKeyUsage) ?? NONE,
    isCa: basicConstraints?.isCa ?? false,
    pathLength: basicConstraints?.pathLength,
    subjectKeyId: interpret(extensions, OID.subjectKeyIdentifier, parseSubjectKeyIdentifier),
    authorityKeyId: interpret(extensions, OID.authorityKeyIdentifier, parseAuthorityKeyIdentifier),
    signatureAlgorithmDer,
    extensions: Object.freeze([...extensions.values()]),
  };
}

function interpret<T>(
  extensions: ReadonlyMap<string, Extension>,
  oid: string,
  parse: (value: Uint8Array) => T,
): T | undefined {
  const extension = extensions.get(oid);
  return extension === undefined ? undefined : parse(extension.value);
}

function assertVersion3(tbs: DerReader): void {
  // Absent means v1, which cannot say whether it is a CA.
  const version = tbs.nextIs(VERSION) ? tbs.enter(VERSION) : undefined;
  const contents = version?.readInteger();
  version?.expectEnd();
  if (contents?.length !== 1 || contents[0] !== 2) {
    throw new CertificateError("certificate-version-unsupported", "expected X.509 version 3");
  }
}

/** RFC 5280 4.1.2.2: positive, at most 20 octets. */
function readSerial(tbs: DerReader): Uint8Array {
  const serial = tbs.readInteger();
  const first = serial[0] ?? 0;
  const isZero = serial.length === 1 && first === 0;
  if (first >= 0x80 || isZero || serial.length > SERIAL_BYTES_MAX) {
    throw new CertificateError(
      "certificate-serial-invalid",
      `expected a positive serial of at most ${SERIAL_BYTES_MAX} octets`,
    );
  }
  return serial;
}

function serialHex(serial: Uint8Array): string {
  const hex = Buffer.from(serial.buffer, serial.byteOffset, serial.length).toString("hex");
  return serial[0] === 0 ? hex.slice(2) : hex;
}

function readValidity(validity: DerReader): Validity {
  const notBeforeMs = readTime(validity);
  const notAfterMs = readTime(validity);
  validity.expectEnd();
  if (notAfterMs < notBeforeMs) {
    throw new CertificateError(
      "certificate-validity-inverted",
      "expected notAfter not before notBefore",
    );
  }
  return { notBeforeMs, notAfterMs };
}

function readSpki(tbs: DerReader): Uint8Array {
  const start = tbs.position;
  const info = tbs.enter(TAG.sequence);
  readAlgorithmElement(info);
  info.readOctetAlignedBitString();
  info.expectEnd();
  return tbs.since(start);
}

/** RFC 5280 4.1.2.8: CAs must not make them, and nothing else reads them. */
function assertNoUniqueIds(tbs: DerReader): void {
  if (tbs.nextIs(ISSUER_UNIQUE_ID) || tbs.nextIs(SUBJECT_UNIQUE_ID)) {
    throw new CertificateError("certificate-unique-id", "expected no unique identifiers");
  }
}

/** In their order, by OID; RFC 5280 4.2 forbids a second one of the same OID. */
function readExtensions(tbs: DerReader): ReadonlyMap<string, Extension> {
  const explicit = tbs.enter(EXTENSIONS);
  const list = explicit.enter(TAG.sequence);
  explicit.expectEnd();
  const extensions = new Map<string, Extension>();
  while (!list.atEnd) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.readOid();
    const critical = readDefaultFalse(extension);
    const value = extension.readContents(TAG.octetString);
    extension.expectEnd();
    if (extensions.has(oid)) {
      throw new CertificateError(
        "certificate-extension-duplicate",
        `expected each extension once, got ${oid} again`,
      );
    }
    extensions.set(oid, Object.freeze({ oid, critical, value }));
  }
  if (extensions.size === 0) {
    throw new CertificateError("certificate-extensions-invalid", "expected at least one extension");
  }
  return extensions;
}
