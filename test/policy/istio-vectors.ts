/** Istio's vectors, as they stand in test/vectors/istio; their objects are read as an operator's manifests are. */

import { readFileSync } from "node:fs";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";

export interface WrittenObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Before now. */
  readonly ageSeconds?: number;
  readonly spec: object;
}

/** PeerAuthentication, in short. */
export interface WrittenPolicy {
  readonly namespace?: string;
  readonly name: string;
  readonly ageSeconds?: number;
  readonly selector?: Readonly<Record<string, string>>;
  readonly mode?: string;
  readonly ports?: Readonly<Record<string, string>>;
}

export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/istio/${name}`, import.meta.url), "utf8"));
}

interface ReadObjects {
  readonly objects: readonly PolicyObject[];
  /** Paths of errors. */
  readonly refused: readonly string[];
}

export function readObjects(written: readonly WrittenObject[]): ReadObjects {
  const text = written.map((each) => JSON.stringify(manifestOf(each))).join("\n---\n");
  const { objects, problems } = parseManifests(text, "vectors");
  return {
    objects: objects.map(({ object }) => object),
    refused: problems.filter(({ severity }) => severity === "error").map(({ path }) => path),
  };
}

export function peerPolicy(written: WrittenPolicy): WrittenObject {
  const { namespace = "my-ns", name, ageSeconds, selector, mode, ports } = written;
  const modes = Object.entries(ports ?? {}).map(([port, each]) => [port, { mode: each }]);
  const spec = {
    ...(selector !== undefined && { selector: { matchLabels: selector } }),
    ...(mode !== undefined && { mtls: { mode } }),
    ...(ports !== undefined && { portLevelMtls: Object.fromEntries(modes) }),
  };
  const age = ageSeconds === undefined ? {} : { ageSeconds };
  return { kind: "PeerAuthentication", namespace, name, ...age, spec };
}

export function meshConfig(mesh: object): WrittenObject {
  const spec = { mesh: JSON.stringify(mesh) };
  return { kind: "ConfigMap", namespace: "istio-system", name: "istio", spec };
}

const nowMs = Date.UTC(2026, 0, 1);

function manifestOf({ kind, namespace, name, ageSeconds, spec }: WrittenObject): object {
  const created =
    ageSeconds !== undefined && new Date(nowMs - ageSeconds * 1_000).toISOString().slice(0, -5);
  const metadata = {
    namespace,
    name,
    ...(created !== false && { creationTimestamp: `${created}Z` }),
  };
  if (kind === "ConfigMap") return { apiVersion: "v1", kind, metadata, data: spec };
  const group = kind === "PeerAuthentication" ? "security.istio.io" : "networking.istio.io";
  return { apiVersion: `${group}/v1`, kind, metadata, spec };
}
