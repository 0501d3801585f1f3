/**
 * What the agent serves now: secrets for what is valid, silence for what is not there yet, nothing
 * else.
 */

import { equalBytes } from "../../core/bytes.ts";
import {
  certificateSecretNames,
  certificateSecrets,
  validationSecretNames,
  validationSecrets,
  type SecretEvidence,
  type SecretResource,
  type WorkloadCertificate,
} from "../../core/envoy/secret.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { parseCertificate, type Certificate } from "../../core/x509/certificate.ts";
import type { Snapshot } from "../../core/xds/resource.ts";

/** Encoded once, whoever is served from it. */
export interface CertificateSecrets {
  readonly certificate: WorkloadCertificate;
  /** The last of its chain, which a root has signed. */
  readonly top: Certificate;
  readonly secrets: readonly SecretResource[];
}

/** Encoded once for all workloads of a node. */
export interface BundleSecrets {
  readonly bundle: TrustBundle;
  readonly roots: readonly Certificate[];
  readonly secrets: readonly SecretResource[];
}

export function encodeCertificateSecrets(certificate: WorkloadCertificate): CertificateSecrets {
  const top = parseCertificate(certificate.chain.at(-1) ?? new Uint8Array());
  return { certificate, top, secrets: certificateSecrets(certificate) };
}

export function encodeBundleSecrets(bundle: TrustBundle): BundleSecrets {
  const roots = bundle.roots.map(parseCertificate);
  return { bundle, roots, secrets: validationSecrets(bundle) };
}

/**
 * Before the first certificate the workload's own names are unknown, so no name can be said not to
 * exist.
 */
export const nothingYet: Snapshot<SecretEvidence> = {
  resources: new Map(),
  pending: { has: () => true },
};

/**
 * What may be served together. An expired leaf is withheld: Envoy would acknowledge it and fail in each handshake; and so is one
 * whose root is not in the bundle beside it, since peers that go by the same bundle refuse it. Its names stay pending, so that
 * the next certificate reaches whoever waits, and whoever holds it already keeps it.
 */
export function secretSnapshot(
  certificate: CertificateSecrets,
  bundle: BundleSecrets,
  nowMs: number,
): Snapshot<SecretEvidence> {
  const { id, notAfterMs } = certificate.certificate;
  const isFit = nowMs < notAfterMs && isUnder(certificate, bundle);
  const resources = [...bundle.secrets, ...(isFit ? certificate.secrets : [])];
  const validationNames = validationSecretNames(bundle.bundle.trustDomain);
  return {
    resources: new Map(resources.map((resource) => [resource.name, resource])),
    pending: new Set([...certificateSecretNames(id), ...validationNames]),
    restored: new Set(validationNames),
  };
}

/** Whether the certificate is not served beside these roots, whatever the time. */
export function isWithheld({ chain }: WorkloadCertificate, { roots }: TrustBundle): boolean {
  const top = parseCertificate(chain.at(-1) ?? new Uint8Array());
  return !isUnder({ top }, { roots: roots.map(parseCertificate) });
}

/** By names and key identifiers alone: the signature was verified when the certificate came, under the roots that it came with. */
export function isUnder(
  { top }: Pick<CertificateSecrets, "top">,
  { roots }: Pick<BundleSecrets, "roots">,
): boolean {
  return roots.some(
    ({ subjectDer, subjectKeyId }) =>
      equalBytes(subjectDer, top.issuerDer) &&
      (subjectKeyId === undefined ||
        top.authorityKeyId === undefined ||
        equalBytes(subjectKeyId, top.authorityKeyId)),
  );
}
