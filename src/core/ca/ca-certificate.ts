/** Certificates of an operator's files: read twice, by our reader and by OpenSSL, and each with the file that it is in. */

import { X509Certificate, type KeyObject } from "node:crypto";
import { PortcullisError } from "../error.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { parsePem } from "../x509/pem.ts";
import { CaFilesError } from "./ca-files-error.ts";
import { CA_FILE_BYTES_MAX, type CaFile } from "./ca-layout.ts";

export interface CaCertificate {
  readonly file: string;
  readonly certificate: Certificate;
  /** By OpenSSL. */
  readonly x509: X509Certificate;
  /** For messages: subject and serial number. */
  readonly description: string;
}

/** More than any file should have; limits of roots and intermediates are below. */
const BLOCKS_MAX = 64;
const BYTES_MAX_DEFAULT = 1_048_576;

/** @throws CaFilesError */
export function parseCaCertificates({ name, bytes }: CaFile): readonly CaCertificate[] {
  return readPem({ name, bytes }, "CERTIFICATE", BLOCKS_MAX).map((der) =>
    typed(name, () => {
      const certificate = parseCertificate(der);
      const x509 = new X509Certificate(der);
      return { file: name, certificate, x509, description: describe(x509, certificate) };
    }),
  );
}

/** How a certificate begins that has 256 octets and more; no text does. */
const DER_SEQUENCE = 0x30;
const DER_TWO_LENGTH_OCTETS = 0x82;

/** The blocks of a file, which is not too large. */
export function readPem({ name, bytes }: CaFile, label: string, blocksMax: number): Uint8Array[] {
  const bytesMax = CA_FILE_BYTES_MAX.get(name) ?? BYTES_MAX_DEFAULT;
  if (bytes.length > bytesMax) {
    throw new CaFilesError(
      "ca-file-too-large",
      name,
      `expected at most ${bytesMax} bytes, got ${bytes.length}`,
    );
  }
  if (bytes[0] === DER_SEQUENCE && bytes[1] === DER_TWO_LENGTH_OCTETS) {
    const tool = label === "CERTIFICATE" ? "x509" : "crl";
    throw new CaFilesError("ca-file-malformed", name, "expected PEM, got DER", {
      hint: `convert it: openssl ${tool} -inform DER -in ${name}`,
    });
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return typed(name, () => parsePem(text, label, { blocksMax }));
}

/** Gives every failure of a reader the file's name. OpenSSL's own errors count: its reader is one of the two. */
export function typed<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = cause instanceof PortcullisError ? (cause.hint ?? hintOf(cause)) : undefined;
    throw new CaFilesError("ca-file-malformed", file, reason, {
      cause,
      ...(hint !== undefined && { hint }),
    });
  }
}

function hintOf({ code }: PortcullisError): string | undefined {
  if (code !== "certificate-version-unsupported") return undefined;
  return "`openssl x509 -req` gives no extensions unless told: -extfile FILE -extensions SECTION";
}

export function isSameCertificate(a: CaCertificate, b: CaCertificate): boolean {
  return Buffer.compare(a.certificate.der, b.certificate.der) === 0;
}

/** Each once, in their order. */
export function distinct(certificates: readonly CaCertificate[]): readonly CaCertificate[] {
  return certificates.filter(
    (each, index) => certificates.findIndex((other) => isSameCertificate(each, other)) === index,
  );
}

/**
 * By name, key identifiers and signature, as verifiers of paths do it: OpenSSL and BoringSSL pass over an issuer whose
 * identifier is not the one that the certificate names.
 */
export function isIssuedBy(child: CaCertificate, issuer: CaCertificate): boolean {
  const { issuerDer, authorityKeyId } = child.certificate;
  const { subjectDer, subjectKeyId } = issuer.certificate;
  if (Buffer.compare(issuerDer, subjectDer) !== 0) return false;
  if (authorityKeyId !== undefined && subjectKeyId !== undefined) {
    if (Buffer.compare(authorityKeyId, subjectKeyId) !== 0) return false;
  }
  try {
    const publicKey: KeyObject = issuer.x509.publicKey;
    return child.x509.verify(publicKey);
  } catch {
    // OpenSSL cannot read the issuer's key, so it cannot have verified anything by it.
    return false;
  }
}

export function isInDate({ certificate }: CaCertificate, nowMs: number): boolean {
  return certificate.notBeforeMs <= nowMs && nowMs < certificate.notAfterMs;
}

export function formatSpan({ notBeforeMs, notAfterMs }: Certificate): string {
  return `${formatTime(notBeforeMs)} to ${formatTime(notAfterMs)}`;
}

/** RFC 3339 in UTC, to the second. */
export function formatTime(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function describe(x509: X509Certificate, { serialHex }: Certificate): string {
  // OpenSSL writes a line for each attribute.
  const subject = x509.subject?.replaceAll("\n", ", ").slice(0, 200);
  return `"${subject ?? ""}" (serial ${serialHex.slice(0, 40)})`;
}
