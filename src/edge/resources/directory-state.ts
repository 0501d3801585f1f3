/**
 * What a directory of manifests says, from one look to the next. A file is taken whole or not at all: one with an error keeps what it
 * said last, one that is gone says nothing, and a directory that cannot be read keeps everything. Pure.
 */

import { mergeManifests } from "./merge-manifests.ts";
import {
  hasErrors,
  manifestLimits,
  noManifests,
  type ManifestProblem,
  type ParsedManifests,
} from "./manifest.ts";
import { parseManifests, problemOf } from "./parse-manifests.ts";

export type DirectoryState = ParsedManifests;

interface FileState {
  /** Undefined: to be read again. */
  readonly version: string | undefined;
  /** Without an error. */
  readonly good: ParsedManifests;
  /** Of what stands there now and was not taken. */
  readonly problems: readonly ManifestProblem[];
}

export interface DirectoryMemory {
  /** "" before the first good look. */
  readonly identity: string;
  readonly files: ReadonlyMap<string, FileState>;
  readonly state: DirectoryState;
}

export const emptyMemory: DirectoryMemory = { identity: "", files: new Map(), state: noManifests };

export interface SeenFile {
  readonly path: string;
  readonly version: string;
  /** Undefined: as it was. */
  readonly content: { readonly text: string } | { readonly failure: string } | undefined;
}

export interface SeenDirectory {
  readonly path: string;
  readonly identity: string;
  /** By path. */
  readonly files: readonly SeenFile[];
}

export function afterLook(memory: DirectoryMemory, seen: SeenDirectory): DirectoryMemory {
  const isOther = memory.identity !== "" && memory.identity !== seen.identity;
  if (isOther && seen.files.length === 0 && memory.files.size > 0) {
    // As a mount looks when it is gone.
    const text = "expected the manifests that were here, got another directory that is empty";
    const hint = "is its mount there? one that is meant to be empty needs a restart";
    return keeping(memory, problemOf(seen.path, "directory-unreadable", text, hint));
  }
  const files = new Map(seen.files.map((file) => [file.path, fileState(memory, file)]));
  const merged = mergeManifests(Array.from(files.values(), ({ good }) => good));
  if (merged.objects.length > manifestLimits.objects) {
    const text = `expected at most ${manifestLimits.objects} objects, got ${merged.objects.length}`;
    const { identity } = seen;
    return keeping({ ...memory, identity, files }, problemOf(seen.path, "too-large", text));
  }
  const bad = Array.from(files.values()).flatMap(({ problems }) => problems);
  const state = { objects: merged.objects, problems: [...bad, ...merged.problems] };
  return { identity: seen.identity, files, state };
}

/** @param failure without the directory's path */
export function afterFailure(
  memory: DirectoryMemory,
  path: string,
  failure: string,
): DirectoryMemory {
  const hint = "what was read of it before holds";
  return keeping(memory, problemOf(path, "directory-unreadable", failure, hint));
}

function keeping(memory: DirectoryMemory, problem: ManifestProblem): DirectoryMemory {
  const { objects, problems } = memory.state;
  const others = problems.filter(({ origin }) => origin !== problem.origin);
  return { ...memory, state: { objects, problems: [problem, ...others] } };
}

function fileState({ files }: DirectoryMemory, { path, version, content }: SeenFile): FileState {
  const before = files.get(path);
  if (content === undefined && before !== undefined) return before;
  const good = before?.good ?? noManifests;
  if (content === undefined || "failure" in content) {
    const text = content?.failure ?? "not read";
    const problem = problemOf(path, "file-unreadable", text, "what it said before holds");
    return { version: undefined, good: withoutProblems(good), problems: [problem] };
  }
  const parsed = parseManifests(content.text, path);
  if (!hasErrors(parsed.problems)) return { version, good: parsed, problems: [] };
  return { version, good: withoutProblems(good), problems: parsed.problems };
}

/** Their lines are those of a text that is gone. */
function withoutProblems({ objects }: ParsedManifests): ParsedManifests {
  return { objects, problems: [] };
}
