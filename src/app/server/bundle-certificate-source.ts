/** Where the bundle endpoint's certificate comes from, and whether there is reason for another than it has. */

import type { Authority } from "../../core/issuance/authority.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  bundleEndpointId,
  readWebCertificate,
  type BundleCertificate,
  type CertificateFiles,
} from "./bundle-certificate.ts";
import type { IssueServing } from "./serving-certificate.ts";
import type { TrustKeeper } from "./trust-keeper.ts";

export interface CertificateOptions {
  /** `https_web` with these; without them `https_spiffe`. */
  readonly files: CertificateFiles | undefined;
  /** DNS names and addresses in the SVID. */
  readonly names: () => readonly string[];
  readonly trust: TrustKeeper;
  /** Of an SVID. */
  readonly issue: IssueServing;
  readonly nowMs: () => number;
}

/** A certificate, and what it was made for. */
export interface LoadedCertificate {
  readonly certificate: BundleCertificate;
  readonly names: readonly string[];
  readonly authority: Authority;
  readonly bundle: TrustBundle;
}

/**
 * @returns with the certificate of before, where there is no reason for another
 * @throws what is wrong with the files, or why no SVID can be issued
 */
export async function loadCertificate(
  options: CertificateOptions,
  before: LoadedCertificate | undefined,
): Promise<LoadedCertificate> {
  const { files, trust, issue, nowMs } = options;
  const { authority, bundle } = trust.current;
  // The names are for clients that know nothing of SPIFFE.
  const names = options.names();
  if (files !== undefined) {
    const read = await readWebCertificate(files);
    const isSame =
      read.certificateChain === before?.certificate.certificateChain &&
      read.privateKeyPem === before.certificate.privateKeyPem;
    return { certificate: isSame ? before.certificate : read, names, authority, bundle };
  }
  const isGood =
    before !== undefined &&
    nowMs() < before.certificate.renewAtMs &&
    before.authority === authority &&
    before.bundle === bundle &&
    before.names.join() === names.join();
  if (isGood) return before;
  const uri = bundleEndpointId(bundle.trustDomain).toString();
  return { certificate: await issue(names, uri), names, authority, bundle };
}
