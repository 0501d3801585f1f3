/** Istio's objects, with what a test does not care about filled in. */

import type { ClientTls, ClientTlsMode } from "../../src/core/resources/client-tls.ts";
import type { DestinationRule, TrafficPolicy } from "../../src/core/resources/destination-rule.ts";
import type { PeerAuthentication, PeerMode } from "../../src/core/resources/peer-authentication.ts";
import type { Labels, ResourceKind, ResourceRef } from "../../src/core/resources/resource.ts";
import type { ServiceEntry } from "../../src/core/resources/service-entry.ts";
import type { Endpoint, WorkloadEntry } from "../../src/core/resources/workload-entry.ts";

/** `at` is NAMESPACE/NAME. */
export function refOf(kind: ResourceKind, at: string): ResourceRef {
  const [namespace = "", name = ""] = at.split("/");
  return { kind, namespace, name };
}

export function labelsOf(of: Readonly<Record<string, string>> = {}): Labels {
  return new Map(Object.entries(of));
}

export interface WrittenPeer {
  readonly at: string;
  readonly mode: PeerMode;
  readonly createdMs?: number;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: Readonly<Record<number, PeerMode>>;
}

export function peerOf(written: WrittenPeer): PeerAuthentication {
  const { at, mode, createdMs, selector, ports = {} } = written;
  return {
    ref: refOf("PeerAuthentication", at),
    createdMs,
    selector: labelsOf(selector),
    mode,
    ports: new Map(Object.entries(ports).map(([port, each]) => [Number(port), each])),
  };
}

export function tlsOf(mode: ClientTlsMode, more: Partial<ClientTls> = {}): ClientTls {
  return {
    mode,
    sni: undefined,
    subjectAltNames: [],
    caCertificates: undefined,
    clientCertificate: undefined,
    privateKey: undefined,
    insecureSkipVerify: false,
    ...more,
  };
}

export interface WrittenTraffic {
  readonly tls?: ClientTlsMode;
  /** By port; null: settings that say nothing of TLS. */
  readonly ports?: Readonly<Record<number, ClientTlsMode | null>>;
}

export function trafficOf({ tls, ports = {} }: WrittenTraffic): TrafficPolicy {
  const byPort = Object.entries(ports).map(
    ([port, mode]) => [Number(port), mode === null ? undefined : tlsOf(mode)] as const,
  );
  return { tls: tls && tlsOf(tls), ports: new Map(byPort) };
}

export const apiHost = "api.shop.internal";

/** For the API of the shop. */
export function ruleOf(at: string, more: Partial<DestinationRule> = {}): DestinationRule {
  return {
    ref: refOf("DestinationRule", at),
    createdMs: undefined,
    host: apiHost,
    traffic: undefined,
    subsets: [],
    workloadSelector: new Map(),
    exportTo: [],
    ...more,
  };
}

/** Of the API of the shop. */
export function endpointOf(more: Partial<Endpoint> = {}): Endpoint {
  return {
    address: "10.0.0.1",
    ports: new Map([["http", 8080]]),
    labels: labelsOf({ app: "api", version: "v1" }),
    serviceAccount: "api",
    network: "",
    locality: "",
    weight: 0,
    ...more,
  };
}

export function workloadOf(at: string, more: Partial<Endpoint> = {}): WorkloadEntry {
  return { ref: refOf("WorkloadEntry", at), createdMs: undefined, ...endpointOf(more) };
}

/** The API of the shop: port 80, and 8080 on its endpoints. */
export function serviceOf(more: Partial<ServiceEntry> = {}): ServiceEntry {
  return {
    ref: refOf("ServiceEntry", "shop/api"),
    createdMs: undefined,
    hosts: [apiHost],
    addresses: [],
    ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: undefined }],
    isInternal: true,
    resolution: "STATIC",
    endpoints: [],
    workloadSelector: labelsOf({ app: "api" }),
    subjectAltNames: [],
    exportTo: [],
    ...more,
  };
}
