/** Objects of a server as a table: where each comes from, what it says, and what is weak about it. */

import type { Finding } from "../../core/policy/finding.ts";
import { refKey, type PolicyObject } from "../../core/resources/policy-object.ts";
import type { LoadedObject } from "../../edge/resources/manifest.ts";
import { findingValue } from "./finding-table.ts";
import { formatSpan } from "./format.ts";
import type { JsonValue } from "./output.ts";
import { resourceSummary } from "./resource-summary.ts";
import { formatTable } from "./table.ts";

export interface ShownObject extends LoadedObject {
  readonly findings: readonly Finding[];
}

/** By namespace, then kind, then name. */
export function shownObjects(
  objects: readonly LoadedObject[],
  findings: readonly Finding[],
): readonly ShownObject[] {
  const byKey = Map.groupBy(findings, ({ ref }) => (ref === undefined ? "" : refKey(ref)));
  const key = ({ object }: LoadedObject): string => {
    const { kind, namespace, name } = object.object.ref;
    return `${namespace}/${kind}/${name}`;
  };
  return objects
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    .map((each) => ({ ...each, findings: byKey.get(refKey(each.object.object.ref)) ?? [] }));
}

export function objectsTable(
  objects: readonly ShownObject[],
  { nowMs, colour }: { readonly nowMs: number; readonly colour: boolean },
): string {
  const headers = ["namespace", "kind", "name", "age", "from", "says", "findings"];
  const rows = objects.map(({ object, origin, findings }) => {
    const { ref } = object.object;
    const { namespace } = ref;
    const { kind, name } = ref.standsFor ?? ref;
    const from = origin === "" ? "apply" : origin;
    const says = resourceSummary(object);
    return [namespace, kind, name, age(object, nowMs), from, says, findingsWords(findings)];
  });
  return formatTable(
    headers.map((header) => ({ header })),
    rows,
    { colour },
  );
}

export function objectValue({ object, manifest, origin, findings }: ShownObject): JsonValue {
  const { ref } = object.object;
  const { kind, name } = ref.standsFor ?? ref;
  return {
    kind,
    namespace: ref.namespace,
    name,
    origin,
    says: resourceSummary(object),
    findings: findings.map((each) => findingValue({ ...each, origin })),
    manifest,
  };
}

function age({ object: { createdMs } }: PolicyObject, nowMs: number): string {
  return createdMs === undefined ? "-" : formatSpan(nowMs - createdMs);
}

function findingsWords(findings: readonly Finding[]): string {
  const [first] = findings;
  if (first === undefined) return "-";
  return findings.length === 1 ? first.code : `${first.code} and ${findings.length - 1} more`;
}
