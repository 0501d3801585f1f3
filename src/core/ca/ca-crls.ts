/**
 * The revocation lists of an operator's CA. Once Envoy has one list it wants one of every CA of every chain, and it
 * acknowledges lists that are out of date and refuses every leaf by them. So a set of lists is whole, in date and each
 * signed by whom it names, or it is refused.
 */

import { KeyUsage } from "../x509/profile.ts";
import { isCrlSignedBy, parseCrl, type Crl } from "../x509/crl.ts";
import {
  formatTime,
  isSameCertificate,
  readPem,
  typed,
  type CaCertificate,
} from "./ca-certificate.ts";
import { CaFilesError } from "./ca-files-error.ts";
import type { CaFile } from "./ca-layout.ts";
import type { CaPath } from "./ca-path.ts";
import type { CaWarning } from "./ca-warning.ts";

export interface CaCrls {
  readonly crls: readonly Uint8Array[];
  /** What an Envoy with these lists refuses beside the CA's own leaves. */
  readonly warnings: readonly CaWarning[];
}

/** One for each root and intermediate, and for those of before. */
const CRLS_MAX = 64;

/** @throws CaFilesError */
export function parseCrls(
  file: CaFile,
  { chain, root }: CaPath,
  roots: readonly CaCertificate[],
  nowMs: number,
): CaCrls {
  const crls = readCrls(file);
  const path = [...chain, root];
  const others = roots.filter((each) => !path.some((known) => isSameCertificate(known, each)));
  for (const each of crls) assertInDate(file.name, each, nowMs);
  assertOneEach(file.name, crls, [...path, ...others]);
  for (const each of crls) assertSigned(file.name, each, [...path, ...others]);
  const hasCrl = ({ certificate }: CaCertificate): boolean =>
    crls.some((crl) => isCrlSignedBy(crl, certificate));
  const missing = path.filter((each) => !hasCrl(each));
  if (missing.length > 0) throw crlMissing(file.name, missing);
  return {
    crls: crls.map(({ der }) => der),
    warnings: others
      .filter((each) => !hasCrl(each))
      .map(({ description }) => ({
        code: "ca-crl-missing-of-root",
        file: file.name,
        message: `no CRL of the root ${description}: Envoys will refuse every leaf under it`,
      })),
  };
}

function readCrls(file: CaFile): readonly Crl[] {
  try {
    return readPem(file, "X509 CRL", CRLS_MAX).map((der) => typed(file.name, () => parseCrl(der)));
  } catch (error) {
    if (!(error instanceof CaFilesError) || !hasShortLabel(file)) throw error;
    throw new CaFilesError(error.code, file.name, 'expected PEM blocks "X509 CRL", got "CRL"', {
      cause: error,
      hint: "write the label X509 CRL (RFC 7468 7): sed 's/N CRL-/N X509 CRL-/; s/D CRL-/D X509 CRL-/'",
    });
  }
}

/** The wrong label that libraries write: Envoy finds no list under it, and says nothing. */
function hasShortLabel({ bytes }: CaFile): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes("-----BEGIN CRL-----");
}

function assertInDate(file: string, crl: Crl, nowMs: number): void {
  const { thisUpdateMs, nextUpdateMs } = crl;
  if (thisUpdateMs <= nowMs && nowMs < nextUpdateMs) return;
  const dates = `${formatTime(thisUpdateMs)} to ${formatTime(nextUpdateMs)}`;
  throw new CaFilesError("ca-crl-not-in-date", file, `a CRL is good from ${dates} only`, {
    hint: "Envoy would refuse every leaf: have a current CRL made, or empty the file",
  });
}

/** Envoy takes the first and passes over the second, which may be the newer one. */
function assertOneEach(
  file: string,
  crls: readonly Crl[],
  authorities: readonly CaCertificate[],
): void {
  for (const { certificate, description } of authorities) {
    const own = crls.filter((crl) => isCrlSignedBy(crl, certificate));
    if (own.length <= 1) continue;
    const numbers = own.map(({ number }) => number ?? "none").join(" and ");
    throw new CaFilesError(
      "ca-crl-several",
      file,
      `expected one CRL of ${description}, got ${own.length} (numbers ${numbers})`,
      { hint: "keep the newest" },
    );
  }
}

/** One of an authority that is not here may be needed: leaves of the last intermediate are still in use. */
function assertSigned(file: string, crl: Crl, authorities: readonly CaCertificate[]): void {
  const named = authorities.filter(
    ({ certificate }) => Buffer.compare(certificate.subjectDer, crl.issuerDer) === 0,
  );
  const [first] = named;
  if (first === undefined) return;
  if (named.some(({ certificate }) => isCrlSignedBy(crl, certificate))) return;
  if (named.some(({ certificate }) => maySignCrls(certificate.keyUsage))) {
    throw new CaFilesError(
      "ca-crl-signature",
      file,
      `a CRL names ${first.description} as its issuer and is not signed by it`,
    );
  }
  throw new CaFilesError(
    "ca-crl-signer-unfit",
    file,
    `${first.description} has no keyUsage cRLSign, so its CRL counts for nothing`,
    { hint: "have the CA issued anew with cRLSign, or empty the file" },
  );
}

export function maySignCrls(keyUsage: number): boolean {
  return (keyUsage & (1 << KeyUsage.cRLSign)) !== 0;
}

function crlMissing(file: string, missing: readonly CaCertificate[]): CaFilesError {
  const who = missing.map(({ description }) => description).join(", ");
  return new CaFilesError("ca-crl-missing", file, `missing CRL signed by ${who}`, {
    hint: "Envoy wants one of every CA of a chain, the root included: append it, or empty the file",
  });
}
