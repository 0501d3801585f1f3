/** An object that does not count because another of its kind and name does: whoever has written it is told. */

import { refWords, type ResourceRef } from "../../../../core/resources/resource.ts";
import type { ManifestProblem } from "../../../../edge/resources/manifest.ts";
import { originWords, type StoredObject } from "./stored-object.ts";

/** @param holds the one that counts */
export function hiddenBy(hidden: StoredObject, holds: StoredObject): ManifestProblem {
  const { ref } = hidden.object.object;
  const problem = { severity: "warning", path: "", origin: hidden.origin } as const;
  if (ref.standsFor !== undefined) {
    const text = `${refWords(holds.object.object.ref)} holds: ${refWords(ref)} has its name, and does not count`;
    const hint = "give one of them another name, or delete what was written";
    return { ...problem, code: "pod-hidden", ref: holds.object.object.ref, text, hint };
  }
  const at = originWords(holds);
  const text = `the one of ${at} holds: ${written(hidden)}, and does not count`;
  return { ...problem, code: codeOf(hidden), ref, text, hint: hintOf(hidden, ref, at) };
}

function codeOf({ origin }: StoredObject): string {
  return origin === "" ? "applied-hidden" : "directory-hidden";
}

function written({ origin }: StoredObject): string {
  return origin === "" ? "another was applied" : "another stands in a file";
}

function hintOf({ origin }: StoredObject, { kind, namespace, name }: ResourceRef, at: string) {
  const take =
    origin === ""
      ? `portcullis delete ${kind} ${name} -n ${namespace}`
      : `take it out of ${origin}`;
  return `${take}, or take it out of ${at}`;
}
