/**
 * Istio's objects as the cluster has them -> what files of them would say: read by the same code, with the same problems. The API server
 * has let in what we refuse (another version's schema), so what is wrong is kept beside the object, and whoever puts the configuration
 * together stays with the last good one.
 */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { LoadedObject, ManifestProblem } from "../../resources/manifest.ts";
import { parseManifest } from "../../resources/parse-manifests.ts";
import type { ResourceKind } from "../../../core/resources/resource.ts";
import type { WatchedKind } from "../watch/reflector-options.ts";
import { headOf, objectOf } from "./raw-object.ts";

export interface WatchedManifest extends KubeObject {
  readonly generation: number | undefined;
  /** Undefined where it cannot be read; `problems` say why. */
  readonly loaded: LoadedObject | undefined;
  readonly problems: readonly ManifestProblem[];
}

export interface PolicyKind extends WatchedKind<WatchedManifest> {
  readonly kind: ResourceKind;
}

/** Istio serves these versions since 1.22. */
export const policyKinds: readonly PolicyKind[] = [
  policyKind("security.istio.io/v1", "PeerAuthentication", "peerauthentications"),
  policyKind("networking.istio.io/v1", "DestinationRule", "destinationrules"),
  policyKind("networking.istio.io/v1", "ServiceEntry", "serviceentries"),
  policyKind("networking.istio.io/v1", "WorkloadEntry", "workloadentries"),
  policyKind("networking.istio.io/v1", "Sidecar", "sidecars"),
];

function policyKind(apiVersion: string, kind: ResourceKind, plural: string): PolicyKind {
  return {
    kind,
    path: `/apis/${apiVersion}/${plural}`,
    parse: (raw) => {
      const head = headOf(raw);
      if (head === undefined) return undefined;
      const { namespace, name, uid, generation } = head;
      const text = JSON.stringify({ ...written(raw), apiVersion, kind });
      const { objects, problems } = parseManifest(text, "cluster");
      return { namespace, name, uid, generation, loaded: objects[0], problems };
    },
  };
}

/** What somebody wrote: the rest is the cluster's, can be larger, and changes by itself. */
function written({ metadata, spec }: JsonObject): JsonObject {
  const { name, namespace, labels, annotations, creationTimestamp } = objectOf(metadata);
  return { metadata: { name, namespace, labels, annotations, creationTimestamp }, spec };
}
