/**
 * YAML 1.2 (and so JSON) of many documents -> values, with the line of each part of them. No aliases, no tags, no keys that are
 * not text, no key twice: what a reader could take for something else is refused.
 */

import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Pair,
} from "yaml";

import { PortcullisError } from "../../core/error.ts";
import { isJsonMap, type Json } from "./manifest.ts";
import { clipped, shown, type Path } from "./place.ts";
import { hasTag, locating, offsetOf, type Located } from "./yaml-nodes.ts";

/** What is no YAML, or YAML that is not taken. */
export class YamlError extends PortcullisError<"yaml-malformed"> {
  override name = "YamlError";
  readonly line: number;

  constructor(line: number, message: string) {
    super("yaml-malformed", message);
    this.line = line;
  }
}

export interface YamlDocument extends Located {
  readonly value: Json;
}

/** Documents, each with its own error; those that are empty are left out. */
export function parseYamlDocuments(text: string): readonly (YamlDocument | YamlError)[] {
  const lines = new LineCounter();
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  try {
    // Whether a key stands twice is looked at below: the library compares each with each.
    const options = { schema: "core", uniqueKeys: false, prettyErrors: false } as const;
    const documents = Array.from(parseAllDocuments(text, { ...options, lineCounter: lines }));
    return documents
      .filter(({ contents, errors }) => errors.length > 0 || !isNothing(contents))
      .map((document) => readDocument(document, lineAt));
  } catch (error) {
    // The library calls itself for each level.
    if (error instanceof RangeError) return [new YamlError(1, "expected fewer levels")];
    throw error;
  }
}

function readDocument(
  { contents, errors, warnings }: ParsedDocument,
  lineAt: (offset: number) => number,
): YamlDocument | YamlError {
  const [problem] = [...errors, ...warnings];
  if (problem !== undefined) return new YamlError(lineAt(problem.pos[0]), reasonOf(problem));
  try {
    return { value: toJson(contents, 0), ...locating(contents, lineAt) };
  } catch (error) {
    if (error instanceof Refused) return new YamlError(lineAt(error.offset), error.message);
    throw error;
  }
}

type ParsedDocument = Pick<Document, "contents" | "errors" | "warnings">;

export interface DocumentItem {
  readonly value: Json;
  readonly path: Path;
}

/** A document is an object of Kubernetes, or a list of them: a `List`, or `PeerAuthenticationList`. */
export function itemsOf(value: Json): readonly DocumentItem[] {
  const { kind, items } = isJsonMap(value) ? value : {};
  const isList = typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
  if (!isList) return [{ value, path: [] }];
  return items.map((each: Json, index) => ({ value: each, path: ["items", index] }));
}

class Refused extends Error {
  readonly offset: number;

  constructor(node: unknown, message: string) {
    super(message);
    this.offset = offsetOf(node);
  }
}

const depthMax = 40;

function toJson(node: unknown, depth: number): Json {
  if (node === null) return null;
  if (depth > depthMax) throw new Refused(node, `expected at most ${depthMax} levels`);
  if (hasTag(node)) throw new Refused(node, "expected no tags");
  if (isScalar(node)) return scalarOf(node.value, node);
  if (isSeq(node)) return node.items.map((each) => toJson(each, depth + 1));
  if (!isMap(node)) throw new Refused(node, "expected no aliases");
  const value: Record<string, Json> = {};
  for (const pair of node.items) {
    const key = keyOf(pair);
    if (Object.hasOwn(value, key))
      throw new Refused(pair.key, `expected each key once, got ${shown(key)} again`);
    value[key] = toJson(pair.value, depth + 1);
  }
  return value;
}

function scalarOf(value: unknown, node: unknown): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Refused(node, `expected a text, a number, true, false or null, got ${shown(value)}`);
}

function keyOf({ key }: Pair): string {
  const value = isScalar(key) && !hasTag(key) ? key.value : undefined;
  const isText =
    typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  // An assignment to it would not make a key.
  if (!isText || value === "__proto__")
    throw new Refused(key, `expected another key than ${shown(value)}`);
  return String(value);
}

function isNothing(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && !hasTag(contents));
}

function reasonOf({ message }: Error): string {
  const [line = ""] = message.split("\n", 1);
  return line.includes("call stack") ? "expected fewer levels" : clipped(line, 200);
}
