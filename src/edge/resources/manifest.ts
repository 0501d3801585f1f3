/** A manifest as it is kept, sent and shown: a Kubernetes object, in one canonical form whatever it was written like. */

import type { Finding } from "../../core/policy/finding.ts";
import type { PolicyObject } from "../../core/resources/policy-object.ts";

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

export type JsonMap = Readonly<Record<string, Json>>;

export interface ManifestMetadata extends JsonMap {
  readonly name: string;
  readonly namespace: string;
}

/** In this order of its keys; those of the specification are sorted: what is equal has the same text. */
export interface Manifest extends JsonMap {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ManifestMetadata;
}

/** What is wrong with a manifest, or of no effect here, and where. */
export interface ManifestProblem extends Finding {
  /** `FILE:LINE`, or the file alone. */
  readonly origin: string;
}

export interface LoadedObject {
  readonly object: PolicyObject;
  readonly manifest: Manifest;
  /** `FILE:LINE`. */
  readonly origin: string;
}

export interface ParsedManifests {
  /** Without those that have an error. */
  readonly objects: readonly LoadedObject[];
  readonly problems: readonly ManifestProblem[];
}

export const noManifests: ParsedManifests = { objects: [], problems: [] };

/** Bytes of a file, characters of an object, objects of a configuration. */
export const manifestLimits: {
  readonly fileBytes: number;
  readonly objectCharacters: number;
  readonly objects: number;
} = { fileBytes: 1_048_576, objectCharacters: 65_536, objects: 10_000 };

export function isJsonMap(value: Json | undefined): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** With all keys in order. */
export function sortedJson(value: Json): Json {
  if (isJsonMap(value)) {
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, each]) => [key, sortedJson(each)]));
  }
  return Array.isArray(value) ? value.map(sortedJson) : value;
}

export function hasErrors(problems: readonly Finding[]): boolean {
  return problems.some(({ severity }) => severity === "error");
}
