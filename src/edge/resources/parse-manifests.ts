/**
 * Manifests -> objects, and all that is wrong with them: each with file, line, path, what was expected, what came and what to do.
 * One that has an error gives no object; the others stand.
 */

import { refKey } from "../../core/resources/policy-object.ts";
import {
  hasErrors,
  manifestLimits,
  type Json,
  type LoadedObject,
  type ManifestProblem,
  type ParsedManifests,
} from "./manifest.ts";
import { formatPath, Place, type Note, type Path } from "./place.ts";
import { readObject, refOf } from "./read-object.ts";
import { itemsOf, parseYamlDocuments, YamlError } from "./yaml-documents.ts";

/** @param file its name in problems and origins */
export function parseManifests(text: string, file: string): ParsedManifests {
  if (text.length > manifestLimits.fileBytes) {
    const most = `expected at most ${manifestLimits.fileBytes} bytes, got more`;
    const hint = "make several files of it";
    return { objects: [], problems: [problemOf(file, "too-large", most, hint)] };
  }
  const found = new Found();
  for (const document of parseYamlDocuments(text)) {
    if (document instanceof YamlError) {
      found.refuse(problemOf(`${file}:${document.line}`, "malformed", document.message));
      continue;
    }
    for (const { path, value } of itemsOf(document.value)) {
      // The rest would be told of in vain: it is refused as it is.
      if (found.isHopeless) return found.all;
      const locate = (at: Path): string => `${file}:${document.lineOf([...path, ...at])}`;
      found.add({ value, size: document.sizeOf(path), locate });
    }
  }
  return found.all;
}

/** One object, as it is kept and sent: JSON. @param origin where it stands, for messages */
export function parseManifest(json: string, origin: string): ParsedManifests {
  const found = new Found();
  try {
    const value = JSON.parse(json) as Json;
    found.add({ value, size: json.length, locate: () => origin });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    found.refuse(problemOf(origin, "malformed", "expected JSON"));
  }
  return found.all;
}

export function problemOf(origin: string, code: string, text: string, hint = ""): ManifestProblem {
  return { severity: "error", code, ref: undefined, path: "", text, hint, origin };
}

/** @param first where the same object stands */
export function duplicateProblem({ object, origin }: LoadedObject, first: string): ManifestProblem {
  const text = `expected each object once, got that of ${first} again`;
  const problem = problemOf(origin, "duplicate-object", text, "keep one of them");
  return { ...problem, ref: object.object.ref };
}

interface Candidate {
  readonly value: Json;
  /** In characters. */
  readonly size: number;
  /** `FILE:LINE` of a path in it. */
  readonly locate: (path: Path) => string;
}

const refusalsMax = 200;

class Found {
  readonly #objects: LoadedObject[] = [];
  readonly #problems: ManifestProblem[] = [];
  #refusals = 0;
  readonly #origins = new Map<string, string>();

  get all(): ParsedManifests {
    return { objects: this.#objects, problems: this.#problems };
  }

  get isHopeless(): boolean {
    return this.#refusals >= refusalsMax;
  }

  refuse(problem: ManifestProblem): void {
    this.#refusals++;
    if (!this.isHopeless) this.#problems.push(problem);
  }

  add({ value, size, locate }: Candidate): void {
    const most = manifestLimits.objectCharacters;
    if (size > most) {
      const text = `expected an object of at most ${most} characters, got more`;
      this.refuse(problemOf(locate([]), "too-large", text));
      return;
    }
    const notes: Note[] = [];
    const read = readObject(value, new Place(notes));
    const ref = read?.object.object.ref ?? refOf(value);
    const problems = notes.map(({ path, ...note }) => ({
      ...note,
      ref,
      path: formatPath(path),
      origin: locate(path),
    }));
    this.#problems.push(...problems);
    if (hasErrors(problems)) this.#refusals++;
    else if (read !== undefined) this.#keep({ ...read, origin: locate([]) });
  }

  #keep(loaded: LoadedObject): void {
    if (this.#objects.length >= manifestLimits.objects) {
      const text = `expected at most ${manifestLimits.objects} objects, got more`;
      this.refuse(problemOf(loaded.origin, "too-large", text));
      return;
    }
    const { ref } = loaded.object.object;
    // As JSON it may be larger than what was written, and it is read again within the same limit.
    const { length } = JSON.stringify(loaded.manifest);
    const most = manifestLimits.objectCharacters;
    if (length > most) {
      const text = `expected an object of at most ${most} characters as JSON, got ${length}`;
      const hint = "make several objects of it";
      this.refuse({ ...problemOf(loaded.origin, "too-large", text, hint), ref });
      return;
    }
    const key = refKey(ref);
    const first = this.#origins.get(key);
    if (first !== undefined) {
      this.refuse(duplicateProblem(loaded, first));
      return;
    }
    this.#origins.set(key, loaded.origin);
    this.#objects.push(loaded);
  }
}
