/**
 * Reads a certificate back before it leaves, with a parser that shares nothing with the writer, and holds it against
 * what was meant. A failure is a fault of ours: nothing is sent, and the name of the check is reported.
 */

import { verify } from "node:crypto";
import { equalBytes } from "../bytes.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import type { SubjectAltNames } from "../x509/leaf-template.ts";
import { OID } from "../x509/oid.ts";
import { ExtendedKeyUsage, KeyUsage, type LeafProfile } from "../x509/profile.ts";
import type { Authority } from "./authority.ts";
import { IssuanceError } from "./issuance-error.ts";
import type { Validity } from "./validity.ts";

/** What the certificate was meant to say. */
export interface IssuedIntent {
  readonly profile: LeafProfile;
  readonly tbs: Uint8Array;
  readonly serial: Uint8Array;
  readonly validity: Validity;
  readonly names: SubjectAltNames;
  readonly spki: Uint8Array;
}

interface IssuedCheck {
  readonly name: string;
  /** The section that asks for it. */
  readonly source: string;
  holds(certificate: Certificate, intent: IssuedIntent, authority: Authority): boolean;
}

const bit = (position: number): number => 1 << position;

const issuedChecks: readonly IssuedCheck[] = [
  {
    name: "tbs-unchanged",
    source: "design 4.4",
    holds: ({ tbs }, intent) => equalBytes(tbs, intent.tbs),
  },
  {
    name: "exact-names",
    source: "X509-SVID 2: exactly one URI SAN, the SPIFFE ID",
    holds: ({ uris, dnsNames, ipAddresses, otherSanCount }, { names }) =>
      sameTexts(uris, names.uris ?? []) &&
      sameTexts(dnsNames, names.dnsNames ?? []) &&
      sameTexts(ipAddresses.map(hex), (names.ipAddresses ?? []).map(hex)) &&
      otherSanCount === 0,
  },
  {
    name: "san-critical-without-subject",
    source: "X509-SVID 3.1",
    holds: ({ subjectDer, sanCritical }) => subjectDer.length === 2 && sanCritical,
  },
  {
    name: "not-a-ca",
    source: "X509-SVID 4.1",
    holds: ({ isCa }) => !isCa,
  },
  {
    name: "leaf-key-usage",
    source: "X509-SVID 4.3",
    holds: ({ keyUsage, extensions }) =>
      extensions.some(({ oid, critical }) => oid === OID.keyUsage && critical) &&
      (keyUsage & bit(KeyUsage.digitalSignature)) !== 0 &&
      (keyUsage & (bit(KeyUsage.keyCertSign) | bit(KeyUsage.cRLSign))) === 0,
  },
  {
    name: "extended-key-usage",
    source: "X509-SVID 4.4",
    holds: ({ extendedKeyUsages }, { profile }) =>
      extendedKeyUsages.join() === profile.extendedKeyUsages.join() &&
      extendedKeyUsages.includes(ExtendedKeyUsage.serverAuth),
  },
  {
    name: "key-of-the-request",
    source: "design 4.1",
    holds: ({ spki }, intent) => equalBytes(spki, intent.spki),
  },
  {
    name: "validity-within-issuer",
    source: "design 4.5",
    holds: ({ notBeforeMs, notAfterMs }, { validity }, authority) =>
      notBeforeMs === validity.notBeforeMs &&
      notAfterMs === validity.notAfterMs &&
      notBeforeMs < notAfterMs &&
      notAfterMs <= authority.notAfterMs,
  },
  {
    name: "serial",
    source: "RFC 5280 4.1.2.2",
    holds: ({ serialHex }, intent) =>
      BigInt(`0x${serialHex}`) === BigInt(`0x${hex(intent.serial)}`),
  },
  {
    name: "names-its-issuer",
    source: "RFC 5280 4.1.2.4, 4.2.1.1",
    holds: ({ issuerDer, authorityKeyId }, _, { certificate: issuer }) =>
      equalBytes(issuerDer, issuer.subjectDer) &&
      authorityKeyId !== undefined &&
      equalBytes(authorityKeyId, issuer.subjectKeyId ?? authorityKeyId),
  },
  {
    name: "signature-algorithm",
    source: "RFC 5280 4.1.1.2",
    holds: ({ signatureAlgorithmDer }, _, { signer }) =>
      equalBytes(signatureAlgorithmDer, signer.algorithm.identifier),
  },
];

/** Costs twice as much as all others together. */
const signatureCheck: IssuedCheck = {
  name: "signature-verifies",
  source: "RFC 5280 4.1.1.2, 6.1.3",
  holds: ({ tbs, signature }, _, { signer, verificationKey }) =>
    verify(signer.algorithm.digest, tbs, verificationKey, signature),
};

/**
 * @param signature "skip" only for a certificate of a batch of which another one's is verified
 * @throws IssuanceError `certificate-check-failed`, naming the check
 */
export function checkIssued(
  der: Uint8Array,
  intent: IssuedIntent,
  authority: Authority,
  signature: "verify" | "skip" = "verify",
): Certificate {
  const certificate = readBack(der);
  const checks = signature === "verify" ? [...issuedChecks, signatureCheck] : issuedChecks;
  const broken = checks.find((check) => !check.holds(certificate, intent, authority));
  if (broken === undefined) return certificate;
  throw checkFailed(`${broken.name} (${broken.source})`);
}

function readBack(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der);
  } catch (cause) {
    throw checkFailed("to be read back", cause);
  }
}

function checkFailed(what: string, cause?: unknown): IssuanceError {
  return new IssuanceError("certificate-check-failed", `the signed certificate fails ${what}`, {
    cause,
    hint: "this is a fault of the CA, not of the caller: keep its log and report it",
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
