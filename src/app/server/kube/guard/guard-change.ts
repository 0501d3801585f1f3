/** The objects of an AdmissionReview as values: read as those of the cluster are. */

import { isJsonObject, type JsonObject } from "../../../../core/identity/json-object.ts";
import type { AskedChange } from "../../../../core/kube/guard/admission-review.ts";
import type { PeerChange } from "../../../../core/kube/guard/stricter-ports.ts";
import { sameValue } from "../../../../core/policy/same-value.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import type { ResourceName } from "../../../../core/resources/resource.ts";
import { policyKinds } from "../../../../edge/kube/read/read-policy-objects.ts";

export type ReadChange =
  /** Nothing of it decides anything. */
  | { readonly kind: "same" }
  /** What is to be cannot be read. */
  | { readonly kind: "unreadable"; readonly why: string }
  | {
      readonly kind: "change";
      readonly change: PeerChange;
      /** What is to stand in the cluster, in the canonical form; undefined: nothing. */
      readonly manifest: JsonObject | undefined;
    };

/** What holds under a name. */
export interface HoldingPeers {
  /** Where the object of before cannot be read, an older one of it does. */
  readonly inForce: (name: ResourceName) => PeerAuthentication | undefined;
  /** Where the cluster has none: one that stands in a file, or was applied. */
  readonly belowCluster: (name: ResourceName) => PeerAuthentication | undefined;
}

interface ReadPeer {
  readonly peer: PeerAuthentication;
  readonly manifest: JsonObject;
}

export function readChange(
  { before, after, ...of }: AskedChange,
  { inForce, belowCluster }: HoldingPeers,
): ReadChange {
  const name = { namespace: of.namespace, name: of.name };
  if (before !== undefined && after !== undefined && sameValue(before["spec"], after["spec"])) {
    return { kind: "same" };
  }
  const is = after && readPeer(after);
  if (typeof is === "string") return { kind: "unreadable", why: is };
  const was = before && readPeer(before);
  const known = typeof was === "string" ? inForce(name) : (was?.peer ?? belowCluster(name));
  const change = { name, before: known, after: is?.peer ?? belowCluster(name) };
  return { kind: "change", change, manifest: is?.manifest };
}

/** @returns why it cannot be read */
function readPeer(raw: JsonObject): ReadPeer | string {
  const { metadata } = raw;
  const uid = { uid: "of the review" };
  const head = isJsonObject(metadata) ? { ...uid, ...metadata } : uid;
  const kind = policyKinds.find(({ path }) => path.endsWith("/peerauthentications"));
  const read = kind?.parse({ ...raw, metadata: head });
  const { object, manifest } = read?.loaded ?? {};
  if (object?.kind === "PeerAuthentication" && manifest !== undefined) {
    return { peer: object.object, manifest };
  }
  const [problem] = read?.problems.filter(({ severity }) => severity === "error") ?? [];
  const { path, text } = problem ?? { path: "", text: "expected a PeerAuthentication" };
  return path === "" ? text : `${path}: ${text}`;
}
