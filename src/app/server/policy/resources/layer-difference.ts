/** What is read anew changes in its layer: also what has only moved to another line of a file. Pure. */

import type { LayerChange, StoredByKey } from "./resource-set.ts";
import { keyOf, type StoredObject } from "./stored-object.ts";

/** @param before the layer. @param objects all of it now */
export function differenceTo(
  before: StoredByKey,
  objects: readonly StoredObject[],
): Pick<LayerChange, "put" | "remove"> {
  const put = objects.filter((each) => {
    const old = before.get(keyOf(each));
    return old?.json !== each.json || old.origin !== each.origin;
  });
  const next = new Set(objects.map(keyOf));
  const remove = [...before.keys()].filter((key) => !next.has(key));
  return { put, remove };
}
