/**
 * Everything in a configuration that Istio is silent about, or that is weaker than it looks. Codes are for scripts: docs/policy.md has
 * them all.
 */

import type { PolicyObject } from "../resources/policy-object.ts";
import { refKey } from "../resources/policy-object.ts";
import { refWords } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import { hiddenRules } from "./findings-hidden.ts";
import { peerFindings } from "./findings-peer.ts";
import { ruleFindings } from "./findings-rule.ts";
import { serviceFindings } from "./findings-service.ts";
import { sidecarFindings } from "./findings-sidecar.ts";
import { warn } from "./findings-words.ts";
import { workloadFindings } from "./findings-workload.ts";
import { MeshView } from "./mesh-view.ts";

export interface FindingsOptions {
  /** Its name. */
  readonly trustDomain: string;
}

/** By object, then by code; the same for the same objects in whatever order. */
export function findings(
  objects: readonly PolicyObject[],
  { trustDomain }: FindingsOptions,
): readonly Finding[] {
  return findingsOf(new MeshView(objects, trustDomain));
}

export function findingsOf(view: MeshView): readonly Finding[] {
  const hidden = hiddenRules(view);
  const all = [
    ...configFindings(view),
    ...peerFindings(view),
    ...hidden.findings,
    ...ruleFindings(view, hidden.ignored),
    ...serviceFindings(view),
    ...workloadFindings(view),
    ...sidecarFindings(view),
  ];
  // Nobody has written what stands for a cluster's own objects.
  const told = all.filter(({ ref }) => ref?.standsFor === undefined);
  const keyed = told.map((finding) => ({ finding, key: findingKey(finding) + finding.text }));
  return keyed
    .toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ finding }) => finding);
}

/** What makes two findings the same one, whatever their words are. */
export function findingKey({ ref, code, path }: Finding): string {
  return JSON.stringify([ref === undefined ? "" : refKey(ref), code, path]);
}

function configFindings({ objects }: MeshView): readonly Finding[] {
  const [first, ...others] = objects.configs;
  if (first === undefined) return [];
  return others.map(({ ref }) => {
    const text = `${refWords(first.ref)} is the mesh's; this one does nothing`;
    return warn("mesh-config-twice", ref, "", text, "keep one");
  });
}
