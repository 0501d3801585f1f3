/** One service of so many workloads, each with an Envoy and an address of its own: what is flipped. */

import type { JsonMap, Manifest } from "../src/edge/resources/manifest.ts";
import type { Bearer } from "./tokens.ts";

export const flipTarget = "flip/api";

const inboundPort = 20_080;
const [namespace, account] = flipTarget.split("/") as [string, string];
const networking = "networking.istio.io/v1";

export function flipBearer(number: number): Bearer {
  return { namespace, serviceAccount: account, pod: `${account}-${number}` };
}

/** Also its WorkloadEntry's name. */
export function flipNodeId(number: number): string {
  return `api-${number}`;
}

/** `HOST:PORT` that its Envoy listens at: all are of this machine. */
export function flipInbound(number: number): string {
  return `${addressOf(number)}:${inboundPort}`;
}

/** @param app `HOST:PORT` behind all of them */
export function flipManifests(workloads: number, app: string): readonly Manifest[] {
  const labels = { app: account };
  const port = { number: inboundPort, name: "http", protocol: "HTTP" };
  return [
    ...Array.from({ length: workloads }, (_, number) =>
      manifest(networking, "WorkloadEntry", flipNodeId(number), {
        address: addressOf(number),
        labels,
        serviceAccount: account,
      }),
    ),
    manifest(networking, "ServiceEntry", account, {
      hosts: ["api.flip.internal"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: inboundPort }],
      workloadSelector: { labels },
    }),
    manifest(networking, "Sidecar", account, {
      workloadSelector: { labels },
      ingress: [{ port, defaultEndpoint: app }],
      egress: [{ hosts: ["~/*"] }],
    }),
    manifest("security.istio.io/v1", "PeerAuthentication", account, {
      selector: { matchLabels: labels },
      mtls: { mode: "PERMISSIVE" },
    }),
  ];
}

function addressOf(number: number): string {
  const place = number + 1;
  return `127.5.${place >> 8}.${place & 255}`;
}

function manifest(apiVersion: string, kind: string, name: string, spec: JsonMap): Manifest {
  return { apiVersion, kind, metadata: { name, namespace }, spec };
}
