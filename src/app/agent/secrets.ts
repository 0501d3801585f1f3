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
} from "../../core/envoy/secret.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import type { WorkloadSet } from "./workload-set.ts";

/**
 * An expired leaf is withheld: Envoy would acknowledge it and fail in each handshake. Its names
 * stay pending, so that the next certificate reaches whoever waits.
 */
export function secretSnapshot(
  set: WorkloadSet | undefined,
  nowMs: number,
): Snapshot<SecretEvidence> {
  // Before the first certificate the workload's own names are unknown, so no name can be said not
  // to exist.
  if (set === undefined) return { resources: new Map(), pending: { has: () => true } };
  const { certificate, bundle } = set;
  const isValid = nowMs < certificate.notAfterMs;
  const resources = [
    ...(isValid ? certificateSecrets(certificate) : []),
    ...validationSecrets(bundle),
  ];
  return {
    resources: new Map(resources.map((resource) => [resource.name, resource])),
    pending: new Set([
      ...certificateSecretNames(certificate.id),
      ...validationSecretNames(bundle.trustDomain),
    ]),
  };
}
