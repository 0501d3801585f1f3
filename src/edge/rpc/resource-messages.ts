/** Names of objects and findings about them in `portcullis.admin.v1`: what the server and its operators' side write and read alike. */

import { create } from "@bufbuild/protobuf";
import type { ResourceKind, ResourceRef } from "../../core/resources/resource.ts";
import {
  ResourceFindingSchema,
  ResourceNameSchema,
  type ResourceFinding,
  type ResourceName,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ManifestProblem } from "../resources/manifest.ts";

const resourceKinds: readonly ResourceKind[] = [
  "PeerAuthentication",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "Sidecar",
  "MeshConfig",
];

/** What stands for an object of a cluster goes by the name of that. */
export function nameMessage({ kind, namespace, name, standsFor }: ResourceRef): ResourceName {
  return create(ResourceNameSchema, { kind, name, ...standsFor, namespace });
}

/** Undefined for a kind that is none. */
export function refOf({ kind: word, namespace, name }: ResourceName): ResourceRef | undefined {
  const kind = resourceKinds.find((each) => each === word);
  if (kind !== undefined) return { kind, namespace, name };
  if (word === "Pod")
    return { kind: "WorkloadEntry", namespace, name, standsFor: { kind: word, name } };
  if (word !== "Service") return undefined;
  return { kind: "ServiceEntry", namespace, name, standsFor: { kind: word, name } };
}

export function findingMessage({ ref, ...rest }: ManifestProblem): ResourceFinding {
  return create(ResourceFindingSchema, { ...rest, ...(ref && { resource: nameMessage(ref) }) });
}

export function findingOf(message: ResourceFinding): ManifestProblem {
  const { severity, code, resource, path, text, hint, origin } = message;
  return {
    severity: severity === "error" ? "error" : "warning",
    code,
    ref: resource && refOf(resource),
    path,
    text,
    hint,
    origin,
  };
}
