/**
 * What the directory's files change in its layer. A file that is bad at a start, or a directory that is lost, has no last good state in
 * the process that reads it: the store has one, and what stood there stays, and is said. Pure.
 */

import type { DirectoryState } from "../../../../edge/resources/directory-state.ts";
import { manifestLimits, type ManifestProblem } from "../../../../edge/resources/manifest.ts";
import type { LayerChange, StoredByKey } from "./resource-set.ts";
import { keyOf, type StoredObject } from "./stored-object.ts";

export interface DirectoryChange {
  readonly change: LayerChange;
  /** What says nothing good since the start. */
  readonly kept: readonly ManifestProblem[];
}

/** Also what has only moved to another line. @param before the layer @param unread as in `DirectoryState` */
export function directoryChange(
  before: StoredByKey,
  objects: readonly StoredObject[],
  { problems, unread }: Pick<DirectoryState, "problems" | "unread">,
): DirectoryChange {
  if (unread !== undefined) {
    const change = { layer: "directory", put: [], remove: [] } as const;
    return { change, kept: before.size === 0 ? [] : [lostProblem(unread, before.size)] };
  }
  const put = objects.filter((each) => {
    const old = before.get(keyOf(each));
    return old?.json !== each.json || old.origin !== each.origin;
  });
  const next = new Set(objects.map(keyOf));
  const good = new Set(objects.map(({ origin }) => fileOf(origin)));
  const errors = problems.filter(({ severity }) => severity === "error");
  const bad = new Set(errors.map(({ origin }) => fileOf(origin)));
  const missing = [...before].filter(([key]) => !next.has(key));
  const isKept = (file: string): boolean => !good.has(file) && bad.has(file);
  const byFile = Map.groupBy(missing, ([, { origin }]) => fileOf(origin));
  const remove = [...byFile].flatMap(([file, of]) => (isKept(file) ? [] : of.map(([key]) => key)));
  const kept = [...byFile].filter(([file]) => isKept(file));
  return {
    change: { layer: "directory", put, remove },
    kept: kept.map(([file, { length }]) => badProblem(file, length)),
  };
}

/** A manifest's canonical form may be larger than what was written: what the store has is read again within the limit. */
export function fittingObjects(objects: readonly StoredObject[]): {
  readonly fitting: readonly StoredObject[];
  readonly tooLarge: readonly ManifestProblem[];
} {
  const most = manifestLimits.objectCharacters;
  const { large = [], fitting = [] } = Object.groupBy(objects, ({ json }) =>
    json.length > most ? "large" : "fitting",
  );
  const tooLarge = large.map(({ object, origin, json }): ManifestProblem => ({
    severity: "error",
    code: "too-large",
    ref: object.object.ref,
    path: "",
    text: `expected an object of at most ${most} characters as JSON, got ${json.length}`,
    hint: "make several objects of it",
    origin,
  }));
  return { fitting, tooLarge };
}

function fileOf(origin: string): string {
  return origin.replace(/:\d+$/, "");
}

function badProblem(file: string, count: number): ManifestProblem {
  return keptProblem(file, count, { why: "the file has been bad since", hint: "mend the file" });
}

function lostProblem(directory: string, count: number): ManifestProblem {
  return keptProblem(directory, count, {
    why: "nothing of the directory has been taken since",
    hint: "mend the directory; to have none of them, put a file without objects into it: empty.yaml",
  });
}

function keptProblem(
  origin: string,
  count: number,
  { why, hint }: { readonly why: string; readonly hint: string },
): ManifestProblem {
  const objects = count === 1 ? "1 object" : `${count} objects`;
  const text = `${objects} of before the server's start still hold: ${why}`;
  const code = "kept-from-before";
  return { severity: "warning", code, ref: undefined, path: "", text, hint, origin };
}
