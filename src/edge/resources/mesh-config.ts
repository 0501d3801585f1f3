/** MeshConfig as Istio keeps it: YAML in `data.mesh` of the ConfigMap `istio`. */

import { defaultMeshConfig } from "../../core/resources/mesh-config.ts";
import type { MeshConfigObject } from "../../core/resources/policy-object.ts";
import { isJsonMap, type Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { clipped, shown, type Place } from "./place.ts";
import { fields, flag, optional, required, text } from "./reader.ts";
import { labelLike } from "./words.ts";
import { YamlError, parseYamlDocuments } from "./yaml-documents.ts";

const data = fields({ mesh: required(text, "") }, [
  "meshNetworks",
  "values",
  "merged-values",
  "original-values",
]);

const known = {
  rootNamespace: optional(labelLike, defaultMeshConfig.rootNamespace),
  enableAutoMtls: optional(flag, defaultMeshConfig.enableAutoMtls),
};

/** @param value the ConfigMap's `data` */
export function readMeshConfig({ resource }: Head, value: Json, place: Place): MeshConfigObject {
  const { mesh } = data(value, place);
  if (resource.ref.name !== "istio") {
    place.refuse(
      `expected the ConfigMap istio, got ${shown(resource.ref.name)}`,
      "MeshConfig is in the ConfigMap istio; leave others out",
    );
  }
  const at = place.child("mesh");
  const written = parseMesh(mesh, at);
  for (const key of Object.keys(written)) {
    const meant = Object.keys(known).find((each) => each.toLowerCase() === key.toLowerCase());
    if (meant === undefined || meant === key) continue;
    at.child(key).refuse(`expected "${meant}", got ${shown(key)}`, "", "unknown-field");
  }
  const idle = Object.keys(written).filter((key) => !Object.hasOwn(known, key));
  if (idle.length > 0) {
    at.warn(
      "field-without-effect",
      `without effect here: ${idle
        .toSorted()
        .slice(0, 20)
        .map((key) => clipped(key))
        .join(", ")}`,
      idle.includes("trustDomain") ? "the trust domain is what the server was started with" : "",
    );
  }
  const taken = Object.entries(written).filter(([key]) => Object.hasOwn(known, key));
  const { rootNamespace, enableAutoMtls } = fields(known)(Object.fromEntries(taken), at);
  return { ...resource, config: { rootNamespace, enableAutoMtls } };
}

function parseMesh(mesh: string, place: Place): Readonly<Record<string, Json>> {
  const [first, second] = parseYamlDocuments(mesh);
  if (first === undefined) return {};
  if (first instanceof YamlError) {
    place.refuse(`in its line ${first.line}: ${first.message}`);
    return {};
  }
  if (second !== undefined) place.refuse("expected one document, got more");
  if (isJsonMap(first.value)) return first.value;
  place.refuse(`expected a mapping, got ${shown(first.value)}`);
  return {};
}
