/** PeerAuthentications with the manifests that say them, for edits of flips. */

import type { JsonObject } from "../../src/core/identity/json-object.ts";
import type { EditSources } from "../../src/core/flip/strict-edit.ts";
import { MeshView } from "../../src/core/policy/mesh-view.ts";
import type { PeerAuthentication } from "../../src/core/resources/peer-authentication.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import { nameKey, type ResourceRef } from "../../src/core/resources/resource.ts";

/** In the canonical form, with labels and annotations of somebody's own. */
export function manifestFor({
  ref,
  createdMs,
  selector,
  mode,
  ports,
}: PeerAuthentication): JsonObject {
  const byPort = Object.fromEntries(Array.from(ports, ([port, each]) => [port, { mode: each }]));
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: {
      name: ref.name,
      namespace: ref.namespace,
      ...(createdMs !== undefined && { creationTimestamp: new Date(createdMs).toISOString() }),
      labels: { team: "x" },
      annotations: { note: "mine" },
    },
    spec: {
      ...(mode !== "UNSET" && { mtls: { mode } }),
      ...(ports.size > 0 && { portLevelMtls: byPort }),
      ...(selector.size > 0 && { selector: { matchLabels: Object.fromEntries(selector) } }),
    },
  };
}

export function editSources(objects: readonly PolicyObject[], createdMs?: number): EditSources {
  const view = new MeshView(objects, "td");
  const manifests = new Map(
    view.objects.peers.map((each) => [nameKey(each.ref), manifestFor(each)]),
  );
  const manifestOf = (ref: ResourceRef): JsonObject => manifests.get(nameKey(ref)) ?? {};
  return { view, manifestOf, createdMs };
}
