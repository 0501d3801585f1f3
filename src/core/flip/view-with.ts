/** Parts of a configuration, and the same with another policy in it: an edit is decided from what it can have an effect on. */

import { objectsByKind, type MeshObjects } from "../policy/mesh-of.ts";
import { MeshView } from "../policy/mesh-view.ts";
import { defaultMeshConfig } from "../resources/mesh-config.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import { nameKey, type ResourceName } from "../resources/resource.ts";

/** @param policy undefined: without the one of the name */
export function viewWith(
  view: MeshView,
  name: ResourceName,
  policy: PeerAuthentication | undefined,
): MeshView {
  const others = view.objects.peers.filter(({ ref }) => nameKey(ref) !== nameKey(name));
  return viewOf(view, { peers: policy === undefined ? others : [...others, policy] });
}

/** All else as it is. */
export function viewOf({ objects, mesh }: MeshView, some: Partial<MeshObjects>): MeshView {
  return new MeshView(objectsOf({ ...objects, ...some }), mesh.trustDomain);
}

/** All that decides what ports of its workloads take. The mesh may be a hundred times as large. */
export function namespaceView(
  objects: readonly PolicyObject[],
  namespace: string,
  trustDomain: string,
): MeshView {
  const configs = objects.filter(({ kind }) => kind === "MeshConfig");
  const [config] = objectsByKind(configs).configs;
  const { rootNamespace } = config?.config ?? defaultMeshConfig;
  const own = objects.filter(({ kind, object }) => {
    const isMesh = object.ref.namespace === rootNamespace;
    const isWide = isMesh && (kind === "PeerAuthentication" || kind === "Sidecar");
    return kind !== "MeshConfig" && (object.ref.namespace === namespace || isWide);
  });
  return new MeshView([...configs, ...own], trustDomain);
}

export function namespaceOf({ objects, mesh }: MeshView, namespace: string): MeshView {
  return namespaceView(objectsOf(objects), namespace, mesh.trustDomain);
}

function objectsOf(all: MeshObjects): readonly PolicyObject[] {
  return [
    ...all.peers.map((object) => ({ kind: "PeerAuthentication", object }) as const),
    ...all.rules.map((object) => ({ kind: "DestinationRule", object }) as const),
    ...all.services.map((object) => ({ kind: "ServiceEntry", object }) as const),
    ...all.workloads.map((object) => ({ kind: "WorkloadEntry", object }) as const),
    ...all.sidecars.map((object) => ({ kind: "Sidecar", object }) as const),
    ...all.configs.map((object) => ({ kind: "MeshConfig", object }) as const),
  ];
}
