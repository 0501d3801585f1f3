/** The third act's configuration: who listens where, and who calls. Each workload has an address of its own, as on a network. */

import type { JsonMap, Manifest } from "../../../edge/resources/manifest.ts";

export interface FlipWorkload {
  /** Also its Envoy's node id, where it has one. */
  readonly name: string;
  readonly namespace: string;
  /** Its account, and its label `app`. */
  readonly account: string;
  readonly address: string;
}

function workload(namespace: string, name: string, account: string, place: number): FlipWorkload {
  return { name, namespace, account, address: `127.77.0.${place}` };
}

export const web: FlipWorkload = workload("shop", "web-1", "web", 1);
/** It has an Envoy, and its application calls past it. */
export const batch: FlipWorkload = workload("shop", "batch-1", "batch", 2);
/** Two without an Envoy: one is known from the beginning, one comes late. */
export const cron: FlipWorkload = workload("legacy", "cron", "cron", 3);
export const report: FlipWorkload = workload("legacy", "report", "report", 4);
export const servers: readonly FlipWorkload[] = [1, 2, 3].map((number) =>
  workload("shop", `api-${number}`, "api", 10 + number),
);

/** What is flipped. */
export const target = "shop/api";

export interface FlipPorts {
  /** Of the servers' Envoys. */
  readonly inbound: number;
  readonly app: number;
  /** On loopback, of a client's Envoy for its application, by the workload's name. */
  readonly doors: Readonly<Record<string, number>>;
}

const networking = "networking.istio.io/v1";
const host = "api.shop.internal";

export function flipManifests(ports: FlipPorts): readonly Manifest[] {
  return [
    ...[web, batch, cron, report, ...servers].map(entryOf),
    serviceOf(ports),
    ingressOf(ports),
    ...[web, batch, cron].map((client) => egressOf(client, ports.doors[client.name] ?? 0)),
    manifest("security.istio.io/v1", "PeerAuthentication", "shop", "api", {
      selector: { matchLabels: { app: "api" } },
      mtls: { mode: "PERMISSIVE" },
    }),
  ];
}

export function nameOf({ namespace, name }: FlipWorkload): string {
  return `${namespace}/${name}`;
}

function entryOf({ namespace, name, account, address }: FlipWorkload): Manifest {
  const spec = { address, labels: { app: account }, serviceAccount: account };
  return manifest(networking, "WorkloadEntry", namespace, name, spec);
}

/** TCP to its clients, so that each call is a connection, and a handshake, of its own. */
function serviceOf({ inbound }: FlipPorts): Manifest {
  return manifest(networking, "ServiceEntry", "shop", "api", {
    hosts: [host],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "tcp", protocol: "TCP", targetPort: inbound }],
    workloadSelector: { labels: { app: "api" } },
  });
}

/** HTTP to its Envoys, which then know what callers say of themselves. */
function ingressOf({ inbound, app }: FlipPorts): Manifest {
  const port = { number: inbound, name: "http", protocol: "HTTP" };
  return manifest(networking, "Sidecar", "shop", "api", {
    workloadSelector: { labels: { app: "api" } },
    ingress: [{ port, defaultEndpoint: `127.0.0.1:${app}` }],
    egress: [{ hosts: ["~/*"] }],
  });
}

function egressOf({ namespace, account }: FlipWorkload, door: number): Manifest {
  const port = { number: door, name: "calls", protocol: "TCP" };
  return manifest(networking, "Sidecar", namespace, account, {
    workloadSelector: { labels: { app: account } },
    egress: [{ port, bind: "127.0.0.1", hosts: [`shop/${host}`] }],
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
