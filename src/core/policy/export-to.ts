/** Who sees an object: `.` its own namespace, `*` everybody, else a namespace by name. */

import type { Resource } from "../resources/resource.ts";

/** @param namespace of who looks */
export function isExportedTo(
  { ref, exportTo }: Resource & { readonly exportTo: readonly string[] },
  namespace: string,
): boolean {
  if (exportTo.length === 0) return true;
  const isOwn = ref.namespace === namespace;
  return exportTo.some((each) => each === "*" || each === namespace || (each === "." && isOwn));
}
