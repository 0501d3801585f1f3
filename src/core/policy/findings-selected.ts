/** Selectors and `exportTo` that reach nobody, whatever object they stand in. */

import type { Labels, Resource } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import { warn } from "./findings-words.ts";
import type { MeshView } from "./mesh-view.ts";

/** @param path where the selector stands */
export function selectorFindings(
  view: MeshView,
  { ref }: Resource,
  selector: Labels,
  path: string,
): readonly Finding[] {
  const isAsked = selector.size > 0 && view.objects.workloads.length > 0;
  if (!isAsked || view.selected(ref.namespace, selector).length > 0) return [];
  const text = `no WorkloadEntry in ${ref.namespace} has the labels of its selector`;
  const hint = "compare the labels";
  return [warn("selects-nobody", ref, path, text, hint)];
}

/** Only where workloads are known: a namespace is there when somebody is in it. */
export function exportFindings(
  view: MeshView,
  { ref, exportTo }: Resource & { readonly exportTo: readonly string[] },
): readonly Finding[] {
  if (exportTo.length === 0 || view.groups.length === 0) return [];
  const isThere = (namespace: string): boolean => view.selected(namespace, new Map()).length > 0;
  const isSeen = exportTo.some((each) => each === "*" || each === "." || isThere(each));
  if (isSeen) return [];
  const text = `no workload is in a namespace that it is exported to: ${exportTo.join(", ")}`;
  const hint = 'name a namespace that there is, "." for its own or "*" for all';
  return [warn("exported-to-nobody", ref, "spec.exportTo", text, hint)];
}
