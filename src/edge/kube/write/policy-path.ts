/** Where the API server has objects of Istio's kinds, in the one version that we watch. */

import type { ResourceRef } from "../../../core/resources/resource.ts";
import { KubeError } from "../kube-error.ts";
import { policyKinds, type PolicyKind } from "../read/read-policy-objects.ts";

/** @throws KubeError `kube-invalid` for what the API server has none of, such as MeshConfig */
export function policyKindOf({ kind }: Pick<ResourceRef, "kind">): PolicyKind {
  const found = policyKinds.find((each) => each.kind === kind);
  if (found !== undefined) return found;
  throw new KubeError("kube-invalid", `expected a kind of Istio's resources, got ${kind}`);
}

/** @throws as `policyKindOf` */
export function policyCollection(ref: Pick<ResourceRef, "kind" | "namespace">): string {
  const { path } = policyKindOf(ref);
  const at = path.lastIndexOf("/");
  return `${path.slice(0, at)}/namespaces/${encodeURIComponent(ref.namespace)}${path.slice(at)}`;
}

/** @throws as `policyKindOf` */
export function policyPath(ref: ResourceRef): string {
  return `${policyCollection(ref)}/${encodeURIComponent(ref.name)}`;
}
