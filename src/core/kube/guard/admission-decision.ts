/** What a writer of a PeerAuthentication is told: nothing, a warning, or no; with whom it would break, and the next command. */

import { printable } from "../../identity/authn-error.ts";
import type { AdmissionAnswer, AdmissionOperation } from "./admission-review.ts";

export type GuardMode = "warn" | "enforce";

/** Of those whose ports would become strict. */
export interface JudgedPart {
  /** As it can be asked for: `NAMESPACE/NAME`, `NAMESPACE`. */
  readonly text: string;
  /** No object selects just these yet: by this text nothing can be asked for before the object is there. */
  readonly isNew: boolean;
  readonly kind: "safe" | "unsafe" | "unknown";
  /** Whoever is in the way and not waived: callers where it is unsafe, else whose evidence is missing, and what of it. */
  readonly names: readonly string[];
  /** Whoever would be in the way, and is waived. */
  readonly waived?: readonly string[];
}

export interface JudgedChange {
  readonly operation: AdmissionOperation;
  /** `NAMESPACE/NAME` */
  readonly object: string;
  /** Those that were judged. */
  readonly parts: readonly JudgedPart[];
  /** Why there may be more that were not; "" where there are none. */
  readonly cut: string;
}

/** Kubernetes API, "Admission response": longer ones may be cut by the API server, and all together have 4,096. */
const warningCharsMax = 256;
const warningsMax = 12;
const messageCharsMax = 2_048;
const namesMax = 3;
const nameCharsMax = 72;

export function decideAdmission(mode: GuardMode, change: JudgedChange): AdmissionAnswer {
  const bad = change.parts.filter(({ kind }) => kind !== "safe");
  if (bad.length === 0 && change.cut === "") return { isAllowed: true, warnings: [], message: "" };
  const would = wouldWords(change);
  const lines = [
    ...bad.flatMap((part) => [partWords(part), nextWords(part)]),
    ...(change.cut === "" ? [] : [`not all was judged: ${change.cut}`]),
  ];
  return mode === "warn" ? warned([would, ...lines]) : refused([would, ...lines]);
}

/** Where nothing is known: to warn is not to stop. @param hint what the writer can do */
export function undecided(mode: GuardMode, why: string, hint: string): AdmissionAnswer {
  const lines = [`whether somebody would be refused is not known: ${why}`, hint];
  return mode === "warn" ? warned(lines) : refused(lines);
}

function warned(lines: readonly string[]): AdmissionAnswer {
  const warnings = lines.map((line) => `Portcullis: ${line}`);
  const shown = warnings.slice(0, warningsMax).map((line) => printableLine(line, warningCharsMax));
  return { isAllowed: true, warnings: shown, message: "" };
}

function refused(lines: readonly string[]): AdmissionAnswer {
  const message = printableLine(lines.join("; "), messageCharsMax);
  return { isAllowed: false, warnings: [], message };
}

function printableLine(text: string, charsMax: number): string {
  return text.length <= charsMax ? printable(text, charsMax) : printable(text, charsMax - 3);
}

function wouldWords({ operation, object, parts, cut }: JudgedChange): string {
  const does = operation === "DELETE" ? "without it" : "by it";
  const names = parts.filter(({ kind }) => kind !== "safe").map(({ text }) => text);
  const whom = names.length === 0 && cut !== "" ? "others" : listed(names);
  return `PeerAuthentication ${object}: ${does} ${whom} would be STRICT, and it is not known to be SAFE`;
}

function partWords({ text, kind, names }: JudgedPart): string {
  if (kind === "unsafe") return `${text} is UNSAFE: it would refuse ${listed(names)}`;
  return `${text} is UNKNOWN: evidence is missing of ${names.length === 0 ? "all of it" : listed(names)}`;
}

function nextWords({ text, isNew, kind }: JudgedPart): string {
  if (isNew) {
    return `apply it with mode PERMISSIVE, then: portcullis mtls flip ${text} --to strict`;
  }
  if (kind === "unknown") return `why, and until when: portcullis mtls check ${text}`;
  return `stage by stage, once they have mTLS or are waived: portcullis mtls flip ${text} --to strict`;
}

/** `a, b, c and 4 more`, each of bounded length. */
function listed(names: readonly string[]): string {
  const more = names.length - namesMax;
  const shown = names.slice(0, namesMax).map((name) => printable(name, nameCharsMax));
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
