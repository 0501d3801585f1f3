/** A configuration as it is read, whole: what `validate`, `explain` and `diff` decide from. A server keeps the same by what changes. */

import type { DestinationRule } from "../resources/destination-rule.ts";
import { defaultMeshConfig, type MeshConfig } from "../resources/mesh-config.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import type { MeshConfigObject, PolicyObject } from "../resources/policy-object.ts";
import { compareAge } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import type { WorkloadEntry } from "../resources/workload-entry.ts";
import type { MeshPolicy } from "./calls.ts";
import { DestinationRules } from "./destination-rules.ts";
import { PeerPolicies } from "./peer-policies.ts";
import { Services } from "./services.ts";

/** Each the oldest first. */
export interface MeshObjects {
  readonly peers: readonly PeerAuthentication[];
  readonly rules: readonly DestinationRule[];
  readonly services: readonly ServiceEntry[];
  readonly workloads: readonly WorkloadEntry[];
  readonly sidecars: readonly Sidecar[];
  readonly configs: readonly MeshConfigObject[];
}

export function objectsByKind(objects: readonly PolicyObject[]): MeshObjects {
  const peers: PeerAuthentication[] = [];
  const rules: DestinationRule[] = [];
  const services: ServiceEntry[] = [];
  const workloads: WorkloadEntry[] = [];
  const sidecars: Sidecar[] = [];
  const configs: MeshConfigObject[] = [];
  for (const each of objects) {
    switch (each.kind) {
      case "PeerAuthentication":
        peers.push(each.object);
        break;
      case "DestinationRule":
        rules.push(each.object);
        break;
      case "ServiceEntry":
        services.push(each.object);
        break;
      case "WorkloadEntry":
        workloads.push(each.object);
        break;
      case "Sidecar":
        sidecars.push(each.object);
        break;
      case "MeshConfig":
        configs.push(each.object);
        break;
      default:
        each satisfies never;
    }
  }
  const all = { peers, rules, services, workloads, sidecars, configs };
  for (const ofKind of Object.values(all)) ofKind.sort(compareAge);
  return all;
}

/** Of several the oldest counts, as with everything else. */
export function meshOf(
  { peers, rules, services, workloads, configs }: MeshObjects,
  trustDomain: string,
): MeshPolicy {
  const config: MeshConfig = configs[0]?.config ?? defaultMeshConfig;
  const known = new Services();
  for (const each of services) known.setService(each);
  for (const each of workloads) known.setWorkload(each);
  return {
    config,
    trustDomain,
    peers: new PeerPolicies(config.rootNamespace, peers),
    rules: new DestinationRules(config.rootNamespace, rules),
    services: known,
  };
}
