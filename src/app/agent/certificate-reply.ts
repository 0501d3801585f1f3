/**
 * A CA's reply, believed only after it has been checked: our key, one identity of our trust domain,
 * a chain that holds.
 */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { PortcullisError } from "../../core/error.ts";
import { SpiffeId, type TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { verifyChain } from "../../core/x509/chain.ts";
import type { NewCsr } from "../../core/x509/csr-create.ts";
import { parsePem, parseSinglePem } from "../../core/x509/pem.ts";

export type ReplyErrorCode = "reply-incomplete" | "reply-foreign-key" | "reply-foreign-identity";

export class ReplyError extends PortcullisError<ReplyErrorCode> {
  override name = "ReplyError";
}

export interface CheckedReply {
  readonly certificate: WorkloadCertificate;
  /** Without a sequence: what came with the certificate. */
  readonly bundle: TrustBundle;
}

const rootsMax = 64;

/**
 * @param certChain as `IstioCertificateResponse` lays it out: leaf, intermediates, all roots in the
 * last element
 * @param trustDomain that the identity must be of; undefined takes the certificate's
 * @throws ReplyError, ChainError, PemError, CertificateError, SpiffeIdError
 */
export function checkReply(
  certChain: readonly string[],
  csr: NewCsr,
  trustDomain: TrustDomain | undefined,
  nowMs: number,
): CheckedReply {
  const rootsPem = certChain.at(-1);
  if (rootsPem === undefined || certChain.length < 2) {
    throw new ReplyError("reply-incomplete", `expected a leaf and roots, got ${certChain.length}`);
  }
  const chain = certChain.slice(0, -1).map((pem) => parseSinglePem(pem, "CERTIFICATE"));
  const roots = parsePem(rootsPem, "CERTIFICATE", { blocksMax: rootsMax });
  const leaf = verifyChain(chain, roots, nowMs);
  if (Buffer.compare(leaf.spki, csr.spki) !== 0) {
    throw new ReplyError("reply-foreign-key", "expected a certificate for the key of the CSR");
  }
  const [uri, ...others] = leaf.uris;
  if (uri === undefined || others.length > 0) {
    throw new ReplyError("reply-foreign-identity", "expected exactly one URI SAN");
  }
  const id = SpiffeId.parse(uri);
  if (trustDomain !== undefined && !id.trustDomain.equals(trustDomain)) {
    throw new ReplyError(
      "reply-foreign-identity",
      `expected an identity of ${trustDomain.name}, got ${uri}`,
      { hint: "is --trust-domain that of the server?" },
    );
  }
  const { serialHex, notAfterMs } = leaf;
  const { privateKeyPkcs8 } = csr;
  return {
    certificate: { id, chain, privateKeyPkcs8, serialHex, notAfterMs },
    bundle: trustBundle(id.trustDomain, 0n, roots),
  };
}
