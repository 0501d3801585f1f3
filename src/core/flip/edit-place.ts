/**
 * Which PeerAuthentication says what a target takes, so that a change of it is a change of the target and of nobody else. Of several
 * the oldest counts: one beside it would be of no effect.
 */

import { labelsKey } from "../policy/labels.ts";
import type { MeshView, WorkloadGroup } from "../policy/mesh-view.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { nameKey, type Labels, type ResourceName } from "../resources/resource.ts";
import { listed, type FlipRefusal } from "./flip-error.ts";
import { likeTarget, selectorOf, type FlipTarget } from "./target.ts";

export type EditPlace =
  | { readonly kind: "there"; readonly policy: PeerAuthentication }
  | { readonly kind: "new"; readonly name: ResourceName };

/** As Istio's users name it. */
const namespacePolicy = "default";

export function editPlace(view: MeshView, target: FlipTarget): EditPlace | FlipRefusal {
  const { namespace, name } = target;
  const policy = name === "" ? view.mesh.peers.wide(namespace)[0] : exactPolicy(view, target);
  const other = name === "" ? undefined : otherDeciding(view, target);
  if (other !== undefined) return otherObject(view, target, other);
  if (policy !== undefined) return { kind: "there", policy };
  const wanted = { namespace, name: name === "" ? namespacePolicy : name };
  const taken = view.objects.peers.find(({ ref }) => nameKey(ref) === nameKey(wanted));
  return taken === undefined ? { kind: "new", name: wanted } : nameTaken(target, taken);
}

function exactPolicy(view: MeshView, target: FlipTarget): PeerAuthentication | undefined {
  const key = labelsKey(selectorOf(target));
  return view.mesh.peers
    .selecting(likeTarget(target))
    .find(({ selector }) => labelsKey(selector) === key);
}

/** One with another selector that is the oldest for some of the target. */
function otherDeciding(view: MeshView, target: FlipTarget): PeerAuthentication | undefined {
  const selector = selectorOf(target);
  const { peers } = view.mesh;
  const workloads = [...view.selected(target.namespace, selector), likeTarget(target)];
  return workloads
    .flatMap((each) => peers.selecting(each).slice(0, 1))
    .find((counting) => labelsKey(counting.selector) !== labelsKey(selector));
}

function otherObject(view: MeshView, target: FlipTarget, policy: PeerAuthentication): FlipRefusal {
  const { namespace, text } = target;
  const isDeciding = (group: WorkloadGroup): boolean =>
    nameKey(view.mesh.peers.selecting(group)[0]?.ref ?? target) === nameKey(policy.ref);
  const own = new Set(view.selected(namespace, selectorOf(target)));
  const decided = view.selected(namespace, policy.selector).filter(isDeciding);
  const others = decided
    .filter((group) => !own.has(group))
    .flatMap(({ workloads }) => workloads.map(({ ref }) => nameKey(ref)));
  const whom = others.length > 0 ? `, which decides for ${listed(others.toSorted())}, too` : "";
  const { name } = policy.ref;
  return {
    code: "other-object",
    message:
      `expected a PeerAuthentication that selects just ${text} (${selectorText(selectorOf(target))}), ` +
      `got ${nameKey(policy.ref)} (${selectorText(policy.selector)})${whom}`,
    hint:
      `flip all that it selects: portcullis mtls flip ${namespace}/peerauthentication/${name} --to strict; ` +
      `or take ${text} out of its selector`,
  };
}

function nameTaken({ text }: FlipTarget, { ref, selector }: PeerAuthentication): FlipRefusal {
  const whose = selector.size === 0 ? "all of the namespace" : selectorText(selector);
  return {
    code: "name-taken",
    message: `expected no PeerAuthentication ${nameKey(ref)}, which the flip of ${text} would make, got one for ${whose}`,
    hint: "apply one for the target under another name, with mode PERMISSIVE, and flip that",
  };
}

function selectorText(selector: Labels): string {
  return Array.from(selector, ([key, value]) => `${key}=${value}`).join(",");
}
