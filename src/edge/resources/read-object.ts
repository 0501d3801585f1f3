/** One manifest -> the object that it says, and the same manifest in its canonical form. */

import type { PolicyObject } from "../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../core/resources/resource.ts";
import { didYouMean } from "../config/nearest-match.ts";
import { apiVersionOf, findKind, type Kind } from "./kinds.ts";
import { isJsonMap, sortedJson, type Json, type JsonMap, type Manifest } from "./manifest.ts";
import { nameOf, readMetadata } from "./metadata.ts";
import { shown, type Place } from "./place.ts";

export interface ReadObject {
  readonly object: PolicyObject;
  readonly manifest: Manifest;
}

/** @returns undefined for what is no object of ours; what is wrong is said at its place, and the object then not to be used */
export function readObject(value: Json, place: Place): ReadObject | undefined {
  if (!isJsonMap(value)) {
    place.refuse(`expected an object of Kubernetes, got ${shown(value)}`);
    return undefined;
  }
  const kind = readKind(value, place);
  return kind === undefined ? undefined : readKnown(kind, value, place);
}

/** Of what may be too wrong to be read. */
export function refOf(value: Json): ResourceRef | undefined {
  if (!isJsonMap(value)) return undefined;
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
  const answer = findKind(apiVersion, kind);
  return "known" in answer ? { kind: answer.known.kind, ...nameOf(metadata) } : undefined;
}

function readKind(value: JsonMap, place: Place): Kind | undefined {
  const apiVersion = readWord(value, "apiVersion", place);
  const kind = apiVersion === undefined ? undefined : readWord(value, "kind", place);
  if (apiVersion === undefined || kind === undefined) return undefined;
  const answer = findKind(apiVersion, kind);
  if ("known" in answer) return answer.known;
  if ("idle" in answer) place.child("kind").warn("kind-without-effect", answer.idle);
  else place.child(answer.at).refuse(answer.wrong, answer.hint, "unknown-kind");
  return undefined;
}

function readWord(map: JsonMap, name: string, place: Place): string | undefined {
  const value = map[name];
  if (typeof value === "string" && value !== "") return value;
  const code = value === undefined ? "missing-field" : "invalid-value";
  place.child(name).refuse(`expected a text, got ${shown(value)}`, "", code);
  return undefined;
}

function readKnown(kind: Kind, value: JsonMap, place: Place): ReadObject {
  const { field, needsField, manifestKind } = kind;
  const known = ["apiVersion", "kind", "metadata", field];
  // `status` is a cluster's.
  for (const key of Object.keys(value).filter((each) => ![...known, "status"].includes(each))) {
    const near = didYouMean(key, known);
    place
      .child(key)
      .refuse(`expected a known field, got ${shown(key)}${near}`, "", "unknown-field");
  }
  const head = readMetadata(kind.kind, value["metadata"], place.child("metadata"));
  const said = value[field] ?? undefined;
  if (said === undefined && needsField) {
    place.child(field).refuse("expected a value, got nothing", "", "missing-field");
  }
  const nowhere = place.apart();
  const object = kind.read(head, said ?? {}, said === undefined ? nowhere : place.child(field));
  const manifest = {
    apiVersion: apiVersionOf(kind),
    kind: manifestKind,
    metadata: head.metadata,
    [field]: sortedJson(said ?? {}),
  };
  return { object, manifest };
}
