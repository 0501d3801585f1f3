/**
 * Whoever was let in may wait before it is signed for: who has gone meanwhile gets nothing. By the watches alone, and nobody is asked: what
 * they do not know is as it was at the door.
 */

import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Caller, NodeEvidence } from "../../../../core/identity/caller.ts";
import type { ClaimedCaller } from "../../../../core/identity/kubernetes-review-caller.ts";
import { existenceOf, type Existence } from "../../../../core/kube/who/existence.ts";
import { CaCallError } from "../../../../edge/rpc/ca-status.ts";
import type { Kube, KubeCaches } from "../kube.ts";
import { assertRenewedAccount } from "./renewed-account.ts";

interface CallersView extends Pick<Kube, "places" | "isCurrent"> {
  readonly caches: Pick<KubeCaches, "accounts" | "pods">;
}

/** @throws AuthnError, CaCallError as at the door */
export function assertNotGone(caller: Caller, view: CallersView, nowMs: number): void {
  const { evidence } = caller;
  if (isClaimed(caller)) knownExistence(caller, view, nowMs);
  else if (evidence.method === "node") assertPlaced(caller, evidence, view, nowMs);
  else if (evidence.method === "certificate") assertRenewedAccount(caller, view, nowMs);
}

export function isClaimed(caller: Caller): caller is ClaimedCaller {
  return caller.evidence.method === "jwt";
}

/** @throws AuthnError `token-revoked` for what is known to be gone */
export function knownExistence(
  claimed: ClaimedCaller,
  { caches: { accounts, pods } }: Pick<CallersView, "caches">,
  nowMs: number,
): Existence {
  const existence = existenceOf(claimed, { accounts: accounts.cache, pods: pods.cache }, nowMs);
  if (existence.kind !== "gone") return existence;
  throw new AuthnError("token-revoked", `its ${existence.what} ${existence.why}`, { claimed });
}

/** Of a node's proxy and the pod that it asks for. */
function assertPlaced(
  { namespace = "", serviceAccount = "" }: Caller,
  { askedBy, onNode }: NodeEvidence,
  { caches, places }: CallersView,
  nowMs: number,
): void {
  if (caches.pods.cache.wasRemoved(askedBy.uid)) {
    throw new CaCallError("impersonation-refused", "the pod that asked was deleted");
  }
  if (places.runsOn(onNode, namespace, serviceAccount, nowMs)) return;
  const why = `no pod of ${namespace}/${serviceAccount} runs on node ${onNode} any more`;
  throw new CaCallError("impersonation-refused", why);
}
