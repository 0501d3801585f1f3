/**
 * Whether a leaf hangs on one of a set of roots, by way of the intermediates that came with it (RFC 5280 6.1, for the
 * short, ordered chains of a mesh; policies and name constraints are no part of it).
 */

import { X509Certificate } from "node:crypto";
import { PortcullisError } from "../error.ts";
import { parseCertificate, type Certificate } from "./certificate.ts";
import { KeyUsage } from "./profile.ts";

export type ChainErrorCode =
  | "chain-broken"
  | "chain-no-root"
  | "chain-not-ca"
  | "chain-expired"
  | "chain-critical-extension";

export class ChainError extends PortcullisError<ChainErrorCode> {
  override name = "ChainError";
}

/**
 * @param chain the leaf first, each followed by its issuer; DER
 * @returns the leaf
 * @throws ChainError, CertificateError, DerError
 */
export function verifyChain(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  nowMs: number,
): Certificate {
  const certificates = chain.map(parseCertificate);
  const [leaf] = certificates;
  if (leaf === undefined) throw new ChainError("chain-broken", "expected a leaf, got nothing");
  for (const [index, certificate] of certificates.entries()) {
    assertInDate(certificate, nowMs);
    assertUnderstood(certificate);
    if (index > 0) assertCa(certificate, index - 1);
    const above = certificates[index + 1];
    if (above !== undefined && !isIssuedBy(certificate, above)) {
      throw new ChainError("chain-broken", `certificate ${index + 1} did not issue ${index}`);
    }
  }
  const top = certificates.at(-1) ?? leaf;
  // A root that was renewed under its old key is there twice: the one in date counts.
  const anchors = roots.map(parseCertificate).filter((root) => isIssuedBy(top, root));
  const anchor = anchors.find((root) => isInDate(root, nowMs)) ?? anchors[0];
  if (anchor === undefined) {
    throw new ChainError("chain-no-root", "expected a chain to a root of the bundle");
  }
  assertCa(anchor, certificates.length - 1);
  assertInDate(anchor, nowMs);
  return leaf;
}

/** By its name and its signature. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (Buffer.compare(certificate.issuerDer, issuer.subjectDer) !== 0) return false;
  try {
    const { publicKey } = new X509Certificate(issuer.der);
    return new X509Certificate(certificate.der).verify(publicKey);
  } catch {
    // OpenSSL cannot read the issuer's key, so it cannot have verified anything by it.
    return false;
  }
}

/** Whether it may have issued others at all (RFC 5280 6.1.4, k and n). */
export function isIssuingCa({ isCa, keyUsage }: Certificate): boolean {
  return isCa && (keyUsage & (1 << KeyUsage.keyCertSign)) !== 0;
}

/** @param intermediatesBelow that this one has between itself and the leaf (RFC 5280 4.2.1.9) */
function assertCa(certificate: Certificate, intermediatesBelow: number): void {
  const { pathLength, serialHex } = certificate;
  if (isIssuingCa(certificate) && intermediatesBelow <= (pathLength ?? Infinity)) return;
  throw new ChainError("chain-not-ca", `expected certificate ${serialHex} to be a CA over these`);
}

/** RFC 5280 4.2: what is critical and not understood ends the path; name constraints are not. */
function assertUnderstood({ extensions, serialHex }: Certificate): void {
  const foreign = extensions.find(({ oid, critical }) => critical && !understood.has(oid));
  if (foreign === undefined) return;
  throw new ChainError(
    "chain-critical-extension",
    `certificate ${serialHex} has the critical extension ${foreign.oid}, which is not supported`,
  );
}

/** KeyUsage, SubjectAltName, BasicConstraints, ExtendedKeyUsage. */
const understood: ReadonlySet<string> = new Set([
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.37",
]);

function assertInDate(certificate: Certificate, nowMs: number): void {
  if (isInDate(certificate, nowMs)) return;
  const { notBeforeMs, notAfterMs, serialHex } = certificate;
  const span = `${new Date(notBeforeMs).toISOString()} to ${new Date(notAfterMs).toISOString()}`;
  throw new ChainError("chain-expired", `certificate ${serialHex} is valid from ${span}`, {
    hint: "compare the clocks of the agent and of the server",
  });
}

function isInDate({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): boolean {
  return notBeforeMs <= nowMs && nowMs < notAfterMs;
}
