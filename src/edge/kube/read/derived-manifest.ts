/**
 * What stands for a pod or a service, written as a manifest: for whoever shows it or reads it elsewhere, never to be applied. Whether an
 * endpoint is ready has no place in it.
 */

import type { PolicyObject } from "../../../core/resources/policy-object.ts";
import type { Labels, Resource } from "../../../core/resources/resource.ts";
import type { ServiceEntry } from "../../../core/resources/service-entry.ts";
import type { Endpoint } from "../../../core/resources/workload-entry.ts";
import type { Json, JsonMap, Manifest } from "../../resources/manifest.ts";

export type DerivedObject = Extract<PolicyObject, { kind: "ServiceEntry" | "WorkloadEntry" }>;

export function derivedManifest(derived: DerivedObject): Manifest {
  const { kind, object } = derived;
  const spec = kind === "WorkloadEntry" ? endpointSpec(object) : serviceSpec(object);
  return { apiVersion: "networking.istio.io/v1", kind, metadata: metadataOf(object), spec };
}

function metadataOf({ ref, createdMs }: Resource): Manifest["metadata"] {
  const { name, namespace } = ref;
  const created = createdMs !== undefined && {
    creationTimestamp: new Date(createdMs).toISOString(),
  };
  return { name, namespace, ...created };
}

function serviceSpec(service: ServiceEntry): JsonMap {
  const { hosts, addresses, ports, isInternal, resolution, endpoints, exportTo } = service;
  const { workloadSelector } = service;
  return {
    hosts,
    ...listed("addresses", addresses),
    ...listed(
      "ports",
      ports.map(({ number, name, protocol, targetPort }) => ({
        number,
        name: portName(name),
        // What nobody has said has no word.
        ...(protocol !== "AUTO" && { protocol }),
        ...(targetPort !== undefined && { targetPort }),
      })),
    ),
    location: isInternal ? "MESH_INTERNAL" : "MESH_EXTERNAL",
    resolution,
    ...listed("endpoints", endpoints.map(endpointSpec)),
    ...(workloadSelector.size > 0 && { workloadSelector: { labels: recordOf(workloadSelector) } }),
    ...listed("exportTo", exportTo),
  };
}

function endpointSpec({ address, ports, labels, serviceAccount }: Endpoint): JsonMap {
  const named = new Map([...ports].map(([name, port]) => [portName(name), port]));
  return {
    address,
    ...(named.size > 0 && { ports: Object.fromEntries(named) }),
    ...(labels.size > 0 && { labels: recordOf(labels) }),
    ...(serviceAccount !== "" && { serviceAccount }),
  };
}

/** The only port of a service need not have one, and a ServiceEntry's must. */
function portName(name: string): string {
  return name === "" ? "port" : name;
}

function recordOf(labels: Labels): Readonly<Record<string, string>> {
  return Object.fromEntries(labels);
}

function listed(name: string, all: readonly Json[]): JsonMap {
  return all.length === 0 ? {} : { [name]: all };
}
