/** The configuration of a mesh that policies are pushed to: a workload has an Envoy with one port, and calls ten services or less. */

import type { JsonMap, Manifest } from "../src/edge/resources/manifest.ts";
import { bearerAt } from "./corpus.ts";

export interface PushedWorkload {
  /** Of its bearer. */
  readonly number: number;
  /** Also its WorkloadEntry's name. */
  readonly nodeId: string;
}

const networking = "networking.istio.io/v1";
const inboundPort = 20_080;
const outboundPort = 20_001;
/** These are called; their clients have a cluster for each in one namespace. */
const services = 100;

/** `HOST:PORT` that its Envoy listens at: each has an address of its own, and all are of this machine. */
export function inboundOf({ number }: PushedWorkload): string {
  return `${addressOf(number)}:${inboundPort}`;
}

/** @param app `HOST:PORT` behind all of them */
export function pushedManifests(
  workloads: readonly PushedWorkload[],
  app: string,
): readonly Manifest[] {
  return [
    meshMode("permissive"),
    ...workloads.flatMap((workload) => [entryOf(workload), sidecarOf(workload, app)]),
    ...workloads.filter(isCalled).map(serviceOf),
  ];
}

/** Of all ports. */
export function meshMode(mode: "strict" | "permissive"): Manifest {
  const spec = { mtls: { mode: mode.toUpperCase() } };
  return manifest("security.istio.io/v1", "PeerAuthentication", "istio-system", "default", spec);
}

function addressOf(number: number): string {
  const place = number + 1;
  return `127.3.${place >> 8}.${place & 255}`;
}

/** Namespaces follow from numbers, so half of them have HTTP, and half TCP. */
function isHttp({ number }: PushedWorkload): boolean {
  return number % 2 === 0;
}

function isCalled(workload: PushedWorkload): boolean {
  return isHttp(workload) && workload.number < services;
}

function entryOf({ number, nodeId }: PushedWorkload): Manifest {
  const { namespace, serviceAccount } = bearerAt(number);
  const spec = { address: addressOf(number), labels: { app: serviceAccount }, serviceAccount };
  return manifest(networking, "WorkloadEntry", namespace, nodeId, spec);
}

function serviceOf({ number }: PushedWorkload): Manifest {
  const { namespace, serviceAccount } = bearerAt(number);
  return manifest(networking, "ServiceEntry", namespace, serviceAccount, {
    hosts: [`${serviceAccount}.${namespace}.internal`],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: inboundPort }],
    workloadSelector: { labels: { app: serviceAccount } },
  });
}

function sidecarOf(workload: PushedWorkload, app: string): Manifest {
  const { number } = workload;
  const { namespace, serviceAccount } = bearerAt(number);
  const protocol = isHttp(workload) ? "HTTP" : "TCP";
  const outbound = { number: outboundPort, name: "calls", protocol: "HTTP" };
  return manifest(networking, "Sidecar", namespace, serviceAccount, {
    workloadSelector: { labels: { app: serviceAccount } },
    ingress: [{ port: { number: inboundPort, name: "app", protocol }, defaultEndpoint: app }],
    egress: [
      {
        port: outbound,
        bind: addressOf(number),
        hosts: [`${bearerAt(2 * number).namespace}/*`],
      },
    ],
  });
}

function manifest(
  apiVersion: string,
  kind: string,
  namespace: string,
  name: string,
  spec: JsonMap,
): Manifest {
  return { apiVersion, kind, metadata: { name, namespace }, spec };
}
