/** What makes one JSON object of another (RFC 7396): what it does not name stays as it is at whoever applies it. */

import { isJsonObject, type JsonObject } from "../../identity/json-object.ts";
import { sameValue } from "../../policy/same-value.ts";

/** @returns empty where they say the same. What is null cannot be told apart from what is not there */
export function mergePatch(before: JsonObject, after: JsonObject): JsonObject {
  const gone = Object.keys(before).filter((name) => after[name] === undefined);
  const changed = Object.entries(after).flatMap(([name, value]) => {
    const was = before[name];
    if (value === undefined || sameValue(was, value)) return [];
    const isNested = isJsonObject(value) && isJsonObject(was);
    return [[name, isNested ? mergePatch(was, value) : value] as const];
  });
  return Object.fromEntries([...gone.map((name) => [name, null] as const), ...changed]);
}
