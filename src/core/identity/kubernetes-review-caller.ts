/**
 * The caller behind a token that the API server was asked about. Its own claims were verified before, so both must say the same: if
 * they differ, one of them is not what it seems. The identity is made of the API server's answer and the configured trust domain.
 */

import type { ReviewedToken } from "../kube/who/review-answer.ts";
import { SpiffeId, type TrustDomain } from "../spiffe/id.ts";
import { AuthnError, quoted } from "./authn-error.ts";
import type { Caller, KubernetesEvidence } from "./caller.ts";

/** By the verified claims of the same token. */
export type ClaimedCaller = Caller & { readonly evidence: KubernetesEvidence };

/** @throws AuthnError `token-subject`, `token-claims` where the claims say another than the answer */
export function callerFromReview(
  reviewed: ReviewedToken,
  claimed: ClaimedCaller,
  trustDomain: TrustDomain,
): Caller {
  const { namespace, serviceAccount, serviceAccountUid, pod, node } = reviewed;
  const id = SpiffeId.forServiceAccount(trustDomain, namespace, serviceAccount);
  if (!id.equals(claimed.id)) {
    const message = `expected ${claimed.id.toString()} as its claims say, got ${id.toString()}`;
    throw new AuthnError("token-subject", `a review of the token: ${message}`);
  }
  const { evidence } = claimed;
  assertSame("service account's UID", evidence.serviceAccountUid, serviceAccountUid);
  assertSame("pod", evidence.pod?.name, pod?.name);
  assertSame("pod's UID", evidence.pod?.uid, pod?.uid);
  // API servers before Kubernetes 1.30 do not say a node.
  if (node !== undefined) assertSame("node", evidence.node?.name, node.name);
  return Object.freeze({
    id,
    namespace,
    serviceAccount,
    expiresAtMs: claimed.expiresAtMs,
    evidence: Object.freeze({
      method: "jwt",
      issuer: evidence.issuer,
      tokenId: evidence.tokenId,
      pod: evidence.pod,
      node: evidence.node,
      serviceAccountUid,
    }),
  });
}

function assertSame(what: string, claimed: string | undefined, got: string | undefined): void {
  if (claimed === got) return;
  const message = `expected its ${what} ${quoted(claimed)}, got ${quoted(got)}`;
  throw new AuthnError("token-claims", `a review of the token: ${message}`);
}
