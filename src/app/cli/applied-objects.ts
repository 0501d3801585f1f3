/** What a server would have with files applied: what is there keeps its age, and what is new is the youngest. */

import { refKey } from "../../core/resources/policy-object.ts";
import type { LoadedObject } from "../../edge/resources/manifest.ts";
import { parseManifest } from "../../edge/resources/parse-manifests.ts";
import { createdAt } from "../server/policy/resources/stored-object.ts";

/** @returns by `refKey` */
export function withApplied(
  there: readonly LoadedObject[],
  wanted: readonly LoadedObject[],
  nowMs: number,
): Map<string, LoadedObject> {
  const all = new Map(there.map((each) => [keyOf(each), each]));
  for (const each of wanted) {
    const before = all.get(keyOf(each));
    const writtenMs = each.object.object.createdMs ?? nowMs;
    const createdMs =
      before === undefined ? Math.min(writtenMs, nowMs) : before.object.object.createdMs;
    const json = JSON.stringify(createdAt(each.manifest, createdMs));
    const [aged = each] = parseManifest(json, each.origin).objects;
    all.set(keyOf(each), aged);
  }
  return all;
}

function keyOf({ object }: LoadedObject): string {
  return refKey(object.object.ref);
}
