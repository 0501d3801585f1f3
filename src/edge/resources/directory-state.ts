/**
 * What a directory of manifests says, from one look to the next, also where the server was started anew between them. A file is taken whole
 * or not at all: one with an error keeps what it said last, one that is gone says nothing, and a directory that cannot be read keeps
 * everything. So does one that is suddenly empty, as a mount is that was lost or did not come up. Pure.
 */

import { fileOf, mergeManifests } from "./merge-manifests.ts";
import {
  hasErrors,
  manifestLimits,
  noManifests,
  type LoadedObject,
  type ManifestProblem,
  type ParsedManifests,
} from "./manifest.ts";
import { parseManifests, problemOf } from "./parse-manifests.ts";

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
  readonly state: ParsedManifests;
}

/** @param held what was read of it before the start */
export function memoryAtStart(held: readonly LoadedObject[]): DirectoryMemory {
  const files = new Map<string, FileState>();
  for (const [file, objects] of Map.groupBy(held, fileOf)) {
    files.set(file, { version: undefined, good: { objects, problems: [] }, problems: [] });
  }
  return { identity: "", files, state: { objects: held, problems: [] } };
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

export function afterLook(memory: DirectoryMemory, seen: SeenDirectory): DirectoryMemory {
  const isEmptied = memory.files.size > 0 && seen.files.length === 0;
  if (isEmptied && memory.identity !== seen.identity) {
    const failure = "expected the manifests that were here before, got an empty directory";
    return afterFailure(memory, seen.path, failure);
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
    return keeping({ ...memory, identity, files }, problem);
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
  return keeping(memory, problemOf(path, "directory-unreadable", failure, hintFor(memory)));
}

function hintFor({ state }: DirectoryMemory): string {
  const { length } = state.objects;
  if (length === 0) return "";
  const hold = length === 1 ? "the object holds that was" : `the ${length} objects hold that were`;
  return `${hold} read of it before; to have none, put a file without objects into it: empty.yaml`;
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
