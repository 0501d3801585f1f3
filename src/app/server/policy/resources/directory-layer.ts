/**
 * What the directory's files change in its layer. A file that is bad at a start has no last good state in the process that reads it: the
 * store has one, and what stood in that file stays, and is said. Pure.
 */

import {
  manifestLimits,
  type ManifestProblem,
  type ParsedManifests,
} from "../../../../edge/resources/manifest.ts";
import type { LayerChange, StoredByKey } from "./resource-set.ts";
import { keyOf, type StoredObject } from "./stored-object.ts";

export interface DirectoryChange {
  readonly change: LayerChange;
  /** Of files that say nothing good since the start. */
  readonly kept: readonly ManifestProblem[];
}

/** Also what has only moved to another line. @param before the layer */
export function directoryChange(
  before: StoredByKey,
  objects: readonly StoredObject[],
  problems: ParsedManifests["problems"],
): DirectoryChange {
  const put = objects.filter((each) => {
    const old = before.get(keyOf(each));
    return old?.json !== each.json || old.origin !== each.origin;
  });
  const next = new Set(objects.map(keyOf));
  const good = new Set(objects.map(({ origin }) => fileOf(origin)));
  const errors = problems.filter(({ severity }) => severity === "error");
  const bad = new Set(errors.map(({ origin }) => fileOf(origin)));
  const missing = [...before].filter(([key]) => !next.has(key));
  const isKept = (file: string): boolean => !good.has(file) && isWithin(file, bad);
  const byFile = Map.groupBy(missing, ([, { origin }]) => fileOf(origin));
  const remove = [...byFile].flatMap(([file, of]) => (isKept(file) ? [] : of.map(([key]) => key)));
  const kept = [...byFile].filter(([file]) => isKept(file));
  return {
    change: { layer: "directory", put, remove },
    kept: kept.map(([file, { length }]) => keptProblem(file, length)),
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

/** It is one of them, or below one that is a directory. */
function isWithin(file: string, places: ReadonlySet<string>): boolean {
  if (places.has(file)) return true;
  for (const place of places) if (file.startsWith(`${place}/`)) return true;
  return false;
}

function fileOf(origin: string): string {
  return origin.replace(/:\d+$/, "");
}

function keptProblem(file: string, count: number): ManifestProblem {
  const objects = count === 1 ? "1 object" : `${count} objects`;
  return {
    severity: "warning",
    code: "kept-from-before",
    ref: undefined,
    path: "",
    text: `${objects} of before the server's start still hold: the file has been bad since`,
    hint: "mend the file",
    origin: file,
  };
}
