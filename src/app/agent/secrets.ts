/**
 * What the agent serves now: secrets for what is valid, silence for what is not there yet, nothing
 * else.
 */

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
import type { Snapshot } from "../../core/xds/resource.ts";

/** Encoded once, whoever is served from it. */
export interface CertificateSecrets {
  readonly certificate: WorkloadCertificate;
  readonly secrets: readonly SecretResource[];
}

/** Encoded once for all workloads of a node. */
export interface BundleSecrets {
  readonly bundle: TrustBundle;
  readonly secrets: readonly SecretResource[];
}

export function encodeCertificateSecrets(certificate: WorkloadCertificate): CertificateSecrets {
  return { certificate, secrets: certificateSecrets(certificate) };
}

export function encodeBundleSecrets(bundle: TrustBundle): BundleSecrets {
  return { bundle, secrets: validationSecrets(bundle) };
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
 * An expired leaf is withheld: Envoy would acknowledge it and fail in each handshake. Its names
 * stay pending, so that the next certificate reaches whoever waits.
 */
export function secretSnapshot(
  { certificate, secrets }: CertificateSecrets,
  { bundle, secrets: bundleSecrets }: BundleSecrets,
  nowMs: number,
): Snapshot<SecretEvidence> {
  const isValid = nowMs < certificate.notAfterMs;
  const resources = [...(isValid ? secrets : []), ...bundleSecrets];
  return {
    resources: new Map(resources.map((resource) => [resource.name, resource])),
    pending: new Set([
      ...certificateSecretNames(certificate.id),
      ...validationSecretNames(bundle.trustDomain),
    ]),
  };
}
