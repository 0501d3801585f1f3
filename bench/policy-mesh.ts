/**
 * A mesh of so many workloads as the policies' part of a bench has it: five replicas a service, ten services a namespace, each service
 * calling four others; half as many policies as workloads, of every scope.
 */

import type { ProxyIdentity } from "../src/core/policy/proxy-identity.ts";
import type { PeerAuthentication, PeerMode } from "../src/core/resources/peer-authentication.ts";
import type { PolicyObject } from "../src/core/resources/policy-object.ts";
import type { ResourceKind, ResourceRef } from "../src/core/resources/resource.ts";
import type { Sidecar } from "../src/core/resources/sidecar.ts";
import type { WorkloadEntry } from "../src/core/resources/workload-entry.ts";

const replicas = 5;
const perNamespace = 10;
const callees = 4;

export interface PolicyMesh {
  readonly objects: readonly PolicyObject[];
  readonly proxies: readonly ProxyIdentity[];
}

/** @param workloads a multiple of 100 */
export function makePolicyMesh(workloads: number): PolicyMesh {
  const services = workloads / replicas;
  const objects: PolicyObject[] = [wide("istio-system", "PERMISSIVE")];
  const proxies: ProxyIdentity[] = [];
  for (let number = 0; number < services; number++) {
    objects.push(serviceOf(number), sidecarOf(number, services), peerOf(number, "PERMISSIVE"));
    if (number % perNamespace === 0) objects.push(wide(namespaceOf(number), "PERMISSIVE"));
    // One of the service's own for all, and some of a client's.
    objects.push(ruleOf(number, namespaceOf(number)));
    if (number % 3 === 0) objects.push(ruleOf(number, namespaceOf((number * 7 + 1) % services)));
    for (let replica = 0; replica < replicas; replica++) {
      const entry = workloadOf(number, replica);
      objects.push({ kind: "WorkloadEntry", object: entry });
      proxies.push(proxyOf(entry));
    }
  }
  return { objects, proxies };
}

export function namespaceOf(number: number): string {
  return `team-${Math.floor(number / perNamespace)}`;
}

function hostOf(number: number): string {
  return `service-${number}.${namespaceOf(number)}.svc.cluster.local`;
}

function refOf(kind: ResourceKind, namespace: string, name: string): ResourceRef {
  return { kind, namespace, name };
}

export function workloadOf(number: number, replica: number): WorkloadEntry {
  const place = number * replicas + replica;
  return {
    ref: refOf("WorkloadEntry", namespaceOf(number), `service-${number}-${replica}`),
    createdMs: undefined,
    address: `10.${place >> 16}.${(place >> 8) & 255}.${place & 255}`,
    ports: new Map(),
    labels: new Map([
      ["app", `service-${number}`],
      ["version", "v1"],
    ]),
    serviceAccount: `service-${number}`,
    network: "",
    locality: "",
    weight: 0,
  };
}

function proxyOf({ ref, serviceAccount }: WorkloadEntry): ProxyIdentity {
  const { namespace, name } = ref;
  const key = `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}/${name}`;
  return { key, namespace, serviceAccount, nodeId: name, claimedLabels: new Map() };
}

export function peerOf(number: number, mode: PeerMode): PolicyObject {
  const object: PeerAuthentication = {
    ref: refOf("PeerAuthentication", namespaceOf(number), `service-${number}`),
    createdMs: undefined,
    selector: new Map([["app", `service-${number}`]]),
    mode,
    ports: new Map([[9_090, "PERMISSIVE"]]),
  };
  return { kind: "PeerAuthentication", object };
}

export function wide(namespace: string, mode: PeerMode): PolicyObject {
  const ref = refOf("PeerAuthentication", namespace, "default");
  const none = new Map<never, never>();
  const object = { ref, createdMs: undefined, selector: none, mode, ports: none };
  return { kind: "PeerAuthentication", object };
}

export function ruleOf(
  number: number,
  namespace: string,
  mode: "ISTIO_MUTUAL" | "DISABLE" = "ISTIO_MUTUAL",
): PolicyObject {
  const tls = {
    mode,
    sni: undefined,
    subjectAltNames: [],
    caCertificates: undefined,
    clientCertificate: undefined,
    privateKey: undefined,
    insecureSkipVerify: false,
  };
  const object = {
    ref: refOf("DestinationRule", namespace, `to-service-${number}`),
    createdMs: undefined,
    host: hostOf(number),
    traffic: { tls, ports: new Map<never, never>() },
    subsets: [],
    workloadSelector: new Map<never, never>(),
    exportTo: [],
  };
  return { kind: "DestinationRule", object };
}

function serviceOf(number: number): PolicyObject {
  const object = {
    ref: refOf("ServiceEntry", namespaceOf(number), `service-${number}`),
    createdMs: undefined,
    hosts: [hostOf(number)],
    addresses: [],
    ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8_080 } as const],
    isInternal: true,
    resolution: "STATIC",
    endpoints: [],
    workloadSelector: new Map([["app", `service-${number}`]]),
    subjectAltNames: [],
    exportTo: [],
  } as const;
  return { kind: "ServiceEntry", object };
}

function sidecarOf(number: number, services: number): PolicyObject {
  const called = Array.from({ length: callees }, (_, at) => (number * 3 + at * at + 1) % services);
  const hosts = called.map((each) => `${namespaceOf(each)}/${hostOf(each)}`);
  const port = { number: 8_080, name: "http", protocol: "HTTP" } as const;
  const object: Sidecar = {
    ref: refOf("Sidecar", namespaceOf(number), `service-${number}`),
    createdMs: undefined,
    workloadSelector: new Map([["app", `service-${number}`]]),
    ingress: [{ port, bind: "", defaultEndpoint: "127.0.0.1:9000" }],
    egress: [{ port: undefined, bind: "", hosts }],
  };
  return { kind: "Sidecar", object };
}
