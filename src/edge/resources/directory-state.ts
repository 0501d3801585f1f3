/**
 * What a directory of manifests says, from one look to the next. A file is taken whole or not at all: one with an error keeps what it
 * said last, one that is gone says nothing, and a directory that cannot be read keeps everything. So does one that is suddenly empty, as
 * a mount is that was lost or did not come up: only files that were seen to go are gone. Pure.
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

export interface DirectoryState extends ParsedManifests {
  /** Its path, while nothing of it has been taken since the start: then nothing may be taken for gone. */
  readonly unread?: string;
}

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
  /** Something was in it: another one in its place is not empty. */
  readonly isFilled: boolean;
  readonly state: DirectoryState;
}

/** @param isFilled whether something is held that was read before the start */
export function memoryAtStart(path: string, isFilled: boolean): DirectoryMemory {
  const state = { ...noManifests, unread: path };
  return { identity: "", files: new Map(), isFilled, state };
}

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

const emptyHint =
  "is its mount there? one that is to be empty has a file with a comment only, empty.yaml";

export function afterLook(memory: DirectoryMemory, seen: SeenDirectory): DirectoryMemory {
  const isFilled = seen.files.length > 0;
  if (memory.isFilled && !isFilled && memory.identity !== seen.identity) {
    const text = "expected the manifests that were here before, got an empty directory";
    return keeping(memory, problemOf(seen.path, "directory-unreadable", text, emptyHint));
  }
  const files = new Map(seen.files.map((file) => [file.path, fileState(memory, file)]));
  const merged = mergeManifests(
    Array.from(files.values(), ({ good }) => good),
    memory.state.objects,
  );
  if (merged.objects.length > manifestLimits.objects) {
    const text = `expected at most ${manifestLimits.objects} objects, got ${merged.objects.length}`;
    const { identity } = seen;
    const problem = problemOf(seen.path, "too-large", text);
    return keeping({ ...memory, identity, files, isFilled }, problem);
  }
  const bad = Array.from(files.values()).flatMap(({ problems }) => problems);
  const state = { objects: merged.objects, problems: [...bad, ...merged.problems] };
  return { identity: seen.identity, files, isFilled, state };
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
  const { state } = memory;
  const others = state.problems.filter(({ origin }) => origin !== problem.origin);
  return { ...memory, state: { ...state, problems: [problem, ...others] } };
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
  // An editor truncates a file before it writes it, and a full disk leaves it so.
  if (good.objects.length > 0 && content.text.trim() === "") {
    const text = "expected the objects that stood here, got an empty file";
    const problem = problemOf(path, "file-emptied", text, "remove it to take them away");
    return { version, good: withoutProblems(good), problems: [problem] };
  }
  const parsed = parseManifests(content.text, path);
  if (!hasErrors(parsed.problems)) return { version, good: parsed, problems: [] };
  return { version, good: withoutProblems(good), problems: parsed.problems };
}

/** Their lines are those of a text that is gone. */
function withoutProblems({ objects }: ParsedManifests): ParsedManifests {
  return { objects, problems: [] };
}
