/**
 * What several files say, as one. An object that stands in two is that of the file which had it before: a copy must not change what holds.
 * Where none had it, the first by their order has it.
 */

import { refKey } from "../../core/resources/policy-object.ts";
import type { LoadedObject, ManifestProblem, ParsedManifests } from "./manifest.ts";
import { duplicateProblem } from "./parse-manifests.ts";

/** @param before what held until now */
export function mergeManifests(
  all: Iterable<ParsedManifests>,
  before: readonly LoadedObject[] = [],
): ParsedManifests {
  const files = new Map(before.map((each) => [keyOf(each), fileOf(each)]));
  const objects = new Map<string, LoadedObject>();
  const problems: ManifestProblem[] = [];
  for (const each of all) {
    problems.push(...each.problems);
    for (const loaded of each.objects) {
      const key = keyOf(loaded);
      const first = objects.get(key);
      const hadIt = files.get(key) === fileOf(loaded);
      if (first === undefined) {
        objects.set(key, loaded);
      } else if (hadIt && fileOf(first) !== fileOf(loaded)) {
        objects.set(key, loaded);
        problems.push(duplicateProblem(first, loaded.origin));
      } else {
        problems.push(duplicateProblem(loaded, first.origin));
      }
    }
  }
  return { objects: [...objects.values()], problems };
}

function keyOf({ object }: LoadedObject): string {
  return refKey(object.object.ref);
}

/** Of `FILE:LINE`. */
export function fileOf({ origin }: LoadedObject): string {
  return origin.slice(0, origin.lastIndexOf(":"));
}
