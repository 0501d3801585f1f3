/**
 * A Service with its EndpointSlices in the shape of a ServiceEntry. Where a selector says who answers, it stays a selector, so that an
 * endpoint is known as the workload that it is. Slices say what a target port's name means. Where it means another number on each pod,
 * and where somebody has written the endpoints, they are written here, too.
 */

import type { Labels } from "../../resources/resource.ts";
import type { ServiceEntry, ServicePort } from "../../resources/service-entry.ts";
import type { Endpoint } from "../../resources/workload-entry.ts";
import { withTlsMode } from "./as-workload-entry.ts";
import type {
  EndpointSlice,
  KubeService,
  KubeServicePort,
  SliceEndpoint,
} from "../kube-service.ts";
import type { Pod } from "../pod.ts";

export interface ServiceWorld {
  /** Such as `cluster.local`. */
  readonly clusterDomain: string;
  /** Of the service's namespace. */
  readonly podNamed: (name: string) => Pod | undefined;
}

/** @param slices those of the service */
export function asServiceEntry(
  service: KubeService,
  slices: readonly EndpointSlice[],
  world: ServiceWorld,
): ServiceEntry {
  const { namespace, name, createdMs, exportTo, externalName, clusterIPs } = service;
  const { publishesNotReady } = service;
  const host = `${name}.${namespace}.svc.${world.clusterDomain}`;
  const common = {
    // As the host, so that a ServiceEntry of the service's own name is another one.
    ref: { kind: "ServiceEntry", namespace, name: host, standsFor: { kind: "Service", name } },
    createdMs,
    hosts: [host],
    ports: service.ports.map((port) => servicePort(port, slices)),
    subjectAltNames: [],
    exportTo,
    ...(publishesNotReady && { callsUnready: true }),
  } as const;
  if (externalName !== undefined) {
    const endpoints = [endpointAt(externalName.toLowerCase(), new Map(), undefined)];
    const workloadSelector: Labels = new Map();
    const elsewhere = { isInternal: false, resolution: "DNS", addresses: [] } as const;
    return { ...common, ...elsewhere, endpoints, workloadSelector };
  }
  const inside = { isInternal: true, resolution: "STATIC", addresses: clusterIPs } as const;
  return { ...common, ...inside, ...answeringFor(service, slices, world) };
}

function answeringFor(
  { selector, ports }: KubeService,
  slices: readonly EndpointSlice[],
  { podNamed }: ServiceWorld,
): Pick<ServiceEntry, "endpoints" | "workloadSelector"> {
  const isOneNumber = ports.every((port) => numbersOf(port, slices).length < 2);
  if (selector.size > 0 && isOneNumber) return { endpoints: [], workloadSelector: selector };
  const endpoints = slices.flatMap(({ endpoints, ports }) =>
    endpoints.flatMap((each) => sliceEndpoint(each, ports, podNamed)),
  );
  return { endpoints, workloadSelector: new Map() };
}

function servicePort(port: KubeServicePort, slices: readonly EndpointSlice[]): ServicePort {
  const [known, another] = numbersOf(port, slices);
  const byName = another === undefined ? known : undefined;
  return { ...port, targetPort: port.targetPort ?? byName };
}

/** On the pods. A slice without endpoints has ports of nobody. */
function numbersOf({ name }: KubeServicePort, slices: readonly EndpointSlice[]): readonly number[] {
  const used = slices.filter(({ endpoints }) => endpoints.length > 0);
  return [...new Set(used.flatMap(({ ports }) => ports.get(name) ?? []))];
}

/** All addresses of one endpoint are the same one's. */
function sliceEndpoint(
  { addresses: [address], isReady, podName }: SliceEndpoint,
  ports: ReadonlyMap<string, number>,
  podNamed: ServiceWorld["podNamed"],
): readonly Endpoint[] {
  if (address === undefined || !isReady) return [];
  return [endpointAt(address, ports, podName === undefined ? undefined : podNamed(podName))];
}

function endpointAt(
  address: string,
  ports: ReadonlyMap<string, number>,
  pod: Pod | undefined,
): Endpoint {
  return {
    address,
    ports,
    labels: withTlsMode(pod?.labels ?? new Map()),
    serviceAccount: pod?.serviceAccount ?? "",
    network: "",
    locality: "",
    weight: 0,
  };
}
