/** Istio's kinds in the cluster: a server watches each at v1 alone, and one that is not served there is configuration that nobody reads. */

import { critical, orOk, warning, type Said } from "./finding.ts";

export interface KindFact {
  readonly kind: string;
  readonly group: string;
  /** Versions at which it is served; none where it is not installed. */
  readonly versions: readonly string[];
}

const wanted = "v1";

export function checkKinds(kinds: readonly KindFact[]): readonly Said[] {
  const found = kinds.flatMap(({ kind, group, versions }): readonly Said[] => {
    if (versions.includes(wanted)) return [];
    if (versions.length === 0) {
      const finding = `${kind}.${group} is not installed: none is read, and what was read of it before stays in force`;
      return [warning(finding, "kubectl apply -f deploy/kubernetes/crds, or Istio's own")];
    }
    const served = versions.join(", ");
    const finding = `${kind}.${group} is served at ${served} and not at v1: none is read`;
    return [critical(finding, "update its definition: Istio serves v1 since 1.22")];
  });
  return orOk(found, `${kinds.length} kinds of Istio are served at v1`);
}
