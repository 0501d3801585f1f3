/** Any object of the configuration, told apart by its kind. */

import type { DestinationRule } from "./destination-rule.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { PeerAuthentication } from "./peer-authentication.ts";
import type { Resource, ResourceRef } from "./resource.ts";
import type { ServiceEntry } from "./service-entry.ts";
import type { Sidecar } from "./sidecar.ts";
import type { WorkloadEntry } from "./workload-entry.ts";

/** MeshConfig as Istio keeps it: a ConfigMap. */
export interface MeshConfigObject extends Resource {
  readonly config: MeshConfig;
}

export type PolicyObject =
  | { readonly kind: "PeerAuthentication"; readonly object: PeerAuthentication }
  | { readonly kind: "DestinationRule"; readonly object: DestinationRule }
  | { readonly kind: "ServiceEntry"; readonly object: ServiceEntry }
  | { readonly kind: "WorkloadEntry"; readonly object: WorkloadEntry }
  | { readonly kind: "Sidecar"; readonly object: Sidecar }
  | { readonly kind: "MeshConfig"; readonly object: MeshConfigObject };

/** One of each name and kind. */
export function refKey({ kind, namespace, name }: ResourceRef): string {
  return `${kind}/${namespace}/${name}`;
}
