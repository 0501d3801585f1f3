/**
 * What a connected proxy has proved about the bundle. Each of its open subscriptions that carries a bundle counts: one that
 * has the present one proves nothing for the next, with which another listener of the same Envoy verifies.
 */

import type { ProxyEvidence, SubscriptionEvidence } from "./evidence.ts";
import type { LaggardReason } from "./laggard.ts";

export type ProxyVerdict =
  | "confirmed"
  /** It verifies nobody: it has no certificate, and asks for no bundle. */
  | "none"
  | { readonly reason: LaggardReason; readonly about: string };

/** As in `VerifierView`. */
export interface PresentBundle {
  readonly rootsDigest: string;
  readonly rootsSequence: bigint;
  readonly validationNames: ReadonlySet<string>;
}

/** @param hasCertificate an unexpired one */
export function judgeProxy(
  { subscriptions, weak }: ProxyEvidence,
  bundle: PresentBundle,
  hasCertificate: boolean,
): ProxyVerdict {
  let isAsking = false;
  for (const subscription of subscriptions) {
    // On each stream of the Workload API a bundle is delivered.
    if (weak !== true && !bundle.validationNames.has(subscription.resourceName)) continue;
    isAsking = true;
    const reason = reasonOf(subscription, bundle);
    if (reason !== undefined) return { reason, about: subscription.resourceName };
  }
  if (isAsking) return "confirmed";
  return hasCertificate ? { reason: "no-trust-bundle", about: "" } : "none";
}

function reasonOf(
  { acked, nack }: SubscriptionEvidence,
  bundle: PresentBundle,
): LaggardReason | undefined {
  if (nack !== undefined) return "refused";
  if (acked?.rootsDigest === undefined) return "not-acknowledged";
  return isPresent(bundle, acked.rootsDigest, acked.bundleSequence) ? undefined : "old-bundle";
}

/** A set of roots may come again: who held it before it was another one need not hold it now. */
export function isPresent(
  { rootsDigest, rootsSequence }: PresentBundle,
  digest: string,
  sequence: bigint,
): boolean {
  return digest === rootsDigest && sequence >= rootsSequence;
}
