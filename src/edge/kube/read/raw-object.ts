/** The parts of an object of Kubernetes that many kinds have, as JSON came: whoever wrote it, it need not be what it should be. */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { Labels } from "../../../core/resources/resource.ts";

export interface RawHead extends KubeObject {
  readonly createdMs: number | undefined;
  readonly deletionMs: number | undefined;
  readonly labels: Labels;
  readonly annotations: JsonObject;
  /** Of its spec; each change of that counts one. */
  readonly generation: number | undefined;
}

/** @returns undefined for what has no name or no UID */
export function headOf({ metadata }: JsonObject): RawHead | undefined {
  const written = objectOf(metadata);
  const name = textOf(written["name"]);
  const uid = textOf(written["uid"]);
  if (name === "" || uid === "") return undefined;
  return {
    namespace: textOf(written["namespace"]),
    name,
    uid,
    createdMs: timeOf(written["creationTimestamp"]),
    deletionMs: timeOf(written["deletionTimestamp"]),
    labels: textsByName(written["labels"]),
    annotations: objectOf(written["annotations"]),
    generation: numberOf(written["generation"]),
  };
}

export function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** "" for what is no text. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Without those that are empty. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(textOf).filter((text) => text !== "") : [];
}

export function textsByName(value: unknown): Labels {
  const entries = Object.entries(objectOf(value));
  return new Map(
    entries.flatMap(([name, text]) => (typeof text === "string" ? [[name, text]] : [])),
  );
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** RFC 3339, as Kubernetes writes times. */
function timeOf(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** A port that can be called. */
export function portOf(value: unknown): number | undefined {
  const isPort = typeof value === "number" && Number.isInteger(value) && value > 0;
  return isPort && value <= 65_535 ? value : undefined;
}
