/** Labels of a proxy, as its Envoy claims them: what is reported, and what is taken. */

import type { Labels } from "../../core/resources/resource.ts";
import { assertCount, assertPolicy } from "./policy-fields.ts";

const labelsMax = 64;
/** Kubernetes: a DNS name of 253, a slash, and 63; the value has 63. */
const labelKeyPattern = /^[\w./-]{1,317}$/;
const labelValuePattern = /^[\w.-]{0,63}$/;

/** What the server takes: a label that Kubernetes would not is left out. */
export function reportableLabels(labels: Labels): Labels {
  const good = [...labels].filter(([key, value]) => isLabel(key, value));
  return new Map(good.toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, labelsMax));
}

/** @throws MeshMessageError */
export function parseLabels(wire: Readonly<Record<string, string>>, path: string): Labels {
  const labels = Object.entries(wire);
  assertCount(labels, labelsMax, `${path}: labels`);
  const areGood = labels.every(([key, value]) => isLabel(key, value));
  assertPolicy(areGood, `${path}: labels`, "keys and values of Kubernetes' labels");
  return new Map(labels);
}

function isLabel(key: string, value: string): boolean {
  // It would not come through a JavaScript object.
  return key !== "__proto__" && labelKeyPattern.test(key) && labelValuePattern.test(value);
}
