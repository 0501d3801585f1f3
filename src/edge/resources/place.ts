/** Where in a manifest a value stands: whoever reads it says there what is wrong with it, and goes on. */

export type Path = readonly (string | number)[];

/** Of problems with manifests; part of the compatibility promise. */
export type ManifestCode =
  | "field-without-effect"
  | "invalid-value"
  | "kind-without-effect"
  | "missing-field"
  | "not-carried-over"
  | "tls-without-mode"
  | "unknown-field"
  | "unknown-kind";

export interface Note {
  readonly severity: "error" | "warning";
  readonly code: ManifestCode;
  readonly path: Path;
  readonly text: string;
  readonly hint: string;
}

/** Of one object: whoever is told of a hundred has to look for himself. */
const notesMax = 100;

export class Place {
  readonly path: Path;
  readonly #notes: Note[];

  /** @param notes takes what is said */
  constructor(notes: Note[], path: Path = []) {
    this.#notes = notes;
    this.path = path;
  }

  child(...keys: Path): Place {
    return new Place(this.#notes, [...this.path, ...keys]);
  }

  /** For a reading of which nothing is to be said. */
  apart(): Place {
    return new Place([], this.path);
  }

  #note(note: Omit<Note, "path">): void {
    const all = this.#notes;
    const said = { ...note, path: this.path };
    if (all.length < notesMax) all.push(said);
    // What has an error is not taken, however much was said before.
    else if (all.every(({ severity }) => severity !== "error")) all[notesMax - 1] = said;
  }

  refuse(text: string, hint = "", code: ManifestCode = "invalid-value"): void {
    this.#note({ severity: "error", code, text, hint });
  }

  warn(code: ManifestCode, text: string, hint = ""): void {
    this.#note({ severity: "warning", code, text, hint });
  }
}

/** `spec.ports[0].number`, `spec.portLevelMtls."8080".mode` */
export function formatPath(path: Path): string {
  const parts = path.map((key, index) => {
    if (typeof key === "number") return `[${key}]`;
    const word = /^[a-z_][\w-]*$/i.test(key) ? key : JSON.stringify(clipped(key));
    return index === 0 ? word : `.${word}`;
  });
  return parts.join("");
}

/** As a message shows what was written. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clipped(value));
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return "a list";
  if (value === null) return "null";
  return value === undefined ? "nothing" : "a mapping";
}

const shownLength = 60;

/** Of a text that somebody else wrote, as much as a message may have. */
export function clipped(text: string, lengthMax: number = shownLength): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}...`;
}
