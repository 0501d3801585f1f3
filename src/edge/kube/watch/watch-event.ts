/** How a watch is asked for, and one line of its answer (Kubernetes API concepts, "Efficient detection of changes"). */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import { eventError } from "../answer-error.ts";
import { KubeError } from "../kube-error.ts";
import type { WatchedKind } from "./reflector-options.ts";

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: JsonObject;
  /** From which one goes on after it. */
  readonly resourceVersion: string;
}

/** @param seconds after which the API server ends it */
export function watchPath(
  { path, fieldSelector }: Pick<WatchedKind<KubeObject>, "path" | "fieldSelector">,
  resourceVersion: string,
  seconds: number,
): string {
  const query = new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion,
    timeoutSeconds: `${seconds}`,
    ...(fieldSelector !== undefined && { fieldSelector }),
  });
  return `${path}?${query.toString()}`;
}

const types: readonly WatchEvent["type"][] = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"];

/**
 * @param what is watched, in the error's words
 * @throws KubeError the one that an event ERROR says; `kube-answer` for what is no event
 */
export function parseWatchEvent(line: string, what: string): WatchEvent {
  const { type, object } = parseObject(line) ?? {};
  if (!isJsonObject(object)) throw unlike(what, "a watch's event");
  if (type === "ERROR") throw eventError(what, object);
  const known = types.find((each) => each === type);
  const { metadata } = object;
  const resourceVersion = isJsonObject(metadata) ? metadata["resourceVersion"] : undefined;
  if (known === undefined || typeof resourceVersion !== "string" || resourceVersion === "") {
    throw unlike(what, "a known event with a resource version");
  }
  return { type: known, object, resourceVersion };
}

function parseObject(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function unlike(what: string, expected: string): KubeError {
  return new KubeError("kube-answer", `${what}: expected ${expected}, got something else`);
}
