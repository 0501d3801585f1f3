/** Objects of a simulated mesh: one service with a few workloads, clients of the mesh, and callers without a proxy. */

import type { JsonObject } from "../../src/core/identity/json-object.ts";
import { modesIn, type PolicyModes } from "../../src/core/flip/edited-policy.ts";
import type { ClientTls } from "../../src/core/resources/client-tls.ts";
import type { PeerAuthentication } from "../../src/core/resources/peer-authentication.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import type { ResourceKind, ResourceRef } from "../../src/core/resources/resource.ts";
import type { Protocol } from "../../src/core/resources/service-entry.ts";

export const trustDomain = "sim";
export const namespace = "shop";
const apiHost = "api.shop.internal";
/** The workloads' own. */
export const apiPorts: readonly number[] = [8080, 8081];

export function spiffeIdOf(serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

export function refOf(kind: ResourceKind, name: string): ResourceRef {
  return { kind, namespace, name };
}

export interface WrittenWorkload {
  readonly name: string;
  readonly app: string;
  readonly address: string;
  /** Undefined: it has no proxy. */
  readonly serviceAccount: string | undefined;
}

export function workloadObject(written: WrittenWorkload): PolicyObject {
  const { name, app, address, serviceAccount = "" } = written;
  const object = {
    ref: refOf("WorkloadEntry", name),
    createdMs: undefined,
    address,
    ports: new Map<string, number>(),
    labels: new Map([["app", app]]),
    serviceAccount,
    network: "",
    locality: "",
    weight: 1,
  };
  return { kind: "WorkloadEntry", object };
}

export function serviceObject(): PolicyObject {
  const ports = apiPorts.map((number) => {
    return { number, name: `p${number}`, protocol: "TCP", targetPort: undefined } as const;
  });
  const object = {
    ref: refOf("ServiceEntry", "api"),
    createdMs: undefined,
    hosts: [apiHost],
    addresses: [],
    ports,
    isInternal: true,
    resolution: "STATIC",
    endpoints: [],
    workloadSelector: new Map([["app", "api"]]),
    subjectAltNames: [],
    exportTo: [],
  } as const;
  return { kind: "ServiceEntry", object };
}

export function serverSidecar(protocols: ReadonlyMap<number, Protocol>): PolicyObject {
  const ingress = Array.from(protocols, ([number, protocol]) => {
    const port = { number, name: `p${number}`, protocol };
    return { port, bind: "", defaultEndpoint: `127.0.0.1:${number + 1_000}` };
  });
  const workloadSelector = new Map([["app", "api"]]);
  const object = { ref: refOf("Sidecar", "api"), createdMs: undefined, workloadSelector };
  return { kind: "Sidecar", object: { ...object, ingress, egress: [] } };
}

export function clientSidecar(): PolicyObject {
  const egress = [{ port: undefined, bind: "", hosts: ["./*"] }];
  const workloadSelector = new Map([["app", "web"]]);
  const object = { ref: refOf("Sidecar", "web"), createdMs: undefined, workloadSelector };
  return { kind: "Sidecar", object: { ...object, ingress: [], egress } };
}

const plaintext: ClientTls = {
  mode: "DISABLE",
  sni: undefined,
  subjectAltNames: [],
  caCertificates: undefined,
  clientCertificate: undefined,
  privateKey: undefined,
  insecureSkipVerify: false,
};

/** Clients of the mesh are to send plaintext. */
export const plaintextRule: PolicyObject = {
  kind: "DestinationRule",
  object: {
    ref: refOf("DestinationRule", "api"),
    createdMs: undefined,
    host: apiHost,
    traffic: { tls: plaintext, ports: new Map() },
    subsets: [],
    workloadSelector: new Map(),
    exportTo: [],
  },
};

export interface WrittenPeer extends PolicyModes {
  readonly name: string;
  /** "" for all of the namespace. */
  readonly app: string;
}

export function peerManifest({ name, app, mode, ports }: WrittenPeer): JsonObject {
  const selector = app === "" ? {} : { selector: { matchLabels: { app } } };
  const byPort = Array.from(ports, ([port, each]) => [`${port}`, { mode: each }] as const);
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name, namespace },
    spec: {
      ...selector,
      mtls: { mode },
      ...(byPort.length > 0 && { portLevelMtls: Object.fromEntries(byPort) }),
    },
  };
}

/** Of the two forms that `peerManifest` and flips write. */
export function peerOfFlip(ref: ResourceRef, manifest: JsonObject): PeerAuthentication {
  const isOfApi = JSON.stringify(manifest["spec"]).includes("matchLabels");
  const selector = new Map(isOfApi ? [["app", "api"]] : []);
  return { ref, createdMs: undefined, selector, ...modesIn(manifest) };
}

export function peerObject(ref: ResourceRef, manifest: JsonObject): PolicyObject {
  return { kind: "PeerAuthentication", object: peerOfFlip(ref, manifest) };
}
