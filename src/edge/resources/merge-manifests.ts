/** What several files say, as one: the first of them, by their order, has an object that stands in two. */

import { refKey } from "../../core/resources/policy-object.ts";
import type { LoadedObject, ManifestProblem, ParsedManifests } from "./manifest.ts";
import { duplicateProblem } from "./parse-manifests.ts";

export function mergeManifests(all: Iterable<ParsedManifests>): ParsedManifests {
  const objects = new Map<string, LoadedObject>();
  const problems: ManifestProblem[] = [];
  for (const each of all) {
    problems.push(...each.problems);
    for (const loaded of each.objects) {
      const key = refKey(loaded.object.object.ref);
      const first = objects.get(key);
      if (first === undefined) objects.set(key, loaded);
      else problems.push(duplicateProblem(loaded, first.origin));
    }
  }
  return { objects: [...objects.values()], problems };
}
