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

export function nameMessage({ kind, namespace, name }: ResourceRef): ResourceName {
  return create(ResourceNameSchema, { kind, namespace, name });
}

/** Undefined for a kind that is none. */
export function refOf({ kind: word, namespace, name }: ResourceName): ResourceRef | undefined {
  const kind = resourceKinds.find((each) => each === word);
  return kind && { kind, namespace, name };
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
