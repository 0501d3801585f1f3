/** What the directory's files change in its layer: also what has only moved to another line. Pure. */

import type { LayerChange, StoredByKey } from "./resource-set.ts";
import { keyOf, type StoredObject } from "./stored-object.ts";

/** @param before the layer */
export function directoryChange(
  before: StoredByKey,
  objects: readonly StoredObject[],
): LayerChange {
  const put = objects.filter((each) => {
    const old = before.get(keyOf(each));
    return old?.json !== each.json || old.origin !== each.origin;
  });
  const next = new Set(objects.map(keyOf));
  const remove = [...before.keys()].filter((key) => !next.has(key));
  return { layer: "directory", put, remove };
}
