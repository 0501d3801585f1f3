/**
 * One port of a service as a client's Envoy calls it: each endpoint, and what is sent there. It is the same for all clients whose rule
 * says the same, so that they share it.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import type { Protocol, ServiceEntry, ServicePort } from "../resources/service-entry.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import { identitiesOf } from "./calls.ts";
import { clientDecision, type Call, type CalledEndpoint, type Sent } from "./client-decision.ts";
import { compareText } from "../compare-text.ts";
import { isIpAddress, isUnixAddress } from "./host-address.ts";
import type { MergedRule } from "./merged-rule.ts";
import { modeOf } from "./port-modes.ts";
import type { OutboundCluster, OutboundEndpoint, PortModes } from "./proxy-policy.ts";
import { endpointPort, type ServiceEndpoint } from "./services.ts";

export interface CalledPort {
  readonly service: ServiceEntry;
  readonly port: ServicePort;
  readonly host: string;
}

export interface ClusterParts {
  readonly called: CalledPort;
  readonly endpoints: readonly ServiceEndpoint[];
  readonly modesOf: (endpoint: ServiceEndpoint) => PortModes;
  /** What the client's rule says of this port; undefined: nothing. */
  readonly tls: ClientTls | undefined;
  readonly trustDomain: string;
  readonly enableAutoMtls: boolean;
}

export function clusterName({ port, host }: Pick<CalledPort, "port" | "host">): string {
  return `outbound|${port.number}||${host}`;
}

export function outboundCluster(parts: ClusterParts): OutboundCluster {
  const { service, port } = parts.called;
  const addresses = service.resolution === "STATIC" ? "eds" : "dns";
  const sentTo = sentBy(parts);
  const sent = new Map<Sent["kind"], Sent>();
  const endpoints = new Map<string, OutboundEndpoint>();
  for (const each of parts.endpoints) {
    const { address, weight, isReady = true } = each.endpoint;
    if (!isReachable(address, addresses) || !(isReady || service.callsUnready === true)) continue;
    const at = endpointPort(each.endpoint, port);
    const key = `${address}:${at}`;
    if (endpoints.has(key)) continue;
    const mode = service.isInternal ? modeOf(parts.modesOf(each), at) : undefined;
    const what = sentTo({ mode, takesMeshTls: takesMeshTls(each.endpoint) });
    sent.set(what.kind, what);
    const sends = what.kind === "origination" ? "tls" : what.kind;
    endpoints.set(key, { address, port: at, weight: Math.max(1, weight), sends });
  }
  const [mtls, tls] = [sent.get("mtls"), sent.get("origination")];
  return {
    name: clusterName(parts.called),
    addresses,
    isHttp2: isHttp2(port.protocol),
    protocol: isHttp(port.protocol) ? "http" : "tcp",
    mtls: mtls?.kind === "mtls" ? { sni: mtls.sni, sans: mtls.sans } : undefined,
    origination: tls?.kind === "origination" ? tls.tls : undefined,
    endpoints: [...endpoints].toSorted(([a], [b]) => compareText(a, b)).map(([, each]) => each),
  };
}

/** A wildcard that only DNS could answer for is none that an Envoy can call. */
export function isCallable(
  { resolution, workloadSelector, endpoints }: ServiceEntry,
  host: string,
): boolean {
  if (!host.startsWith("*")) return true;
  return (
    resolution !== "NONE" &&
    (resolution === "STATIC" || workloadSelector.size > 0 || endpoints.length > 0)
  );
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === "HTTP" || isHttp2(protocol);
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === "HTTP2" || protocol === "GRPC";
}

/** Envoy refuses a name where it is told addresses, and a socket where it asks DNS. */
function isReachable(address: string, addresses: OutboundCluster["addresses"]): boolean {
  if (addresses === "dns") return !isUnixAddress(address);
  return isIpAddress(address) || isUnixAddress(address);
}

/** Endpoints differ in few ways: what is decided for one holds for all like it. */
function sentBy(parts: ClusterParts): (endpoint: CalledEndpoint) => Sent {
  const { service, port, host } = parts.called;
  const { ref, isInternal, subjectAltNames } = service;
  const identities = identitiesOf(parts.trustDomain, service, parts.endpoints);
  const decided = new Map<string, Sent>();
  const call: Omit<Call, "endpoint"> = {
    service: { ref, host, port, isInternal, identities, subjectAltNames },
    subset: "",
    rule: parts.tls && ruleThatSays(parts.tls, service),
    enableAutoMtls: parts.enableAutoMtls,
  };
  return (endpoint) => {
    const key = `${endpoint.mode}/${endpoint.takesMeshTls}`;
    const sent = decided.get(key) ?? clientDecision({ ...call, endpoint }).sent;
    decided.set(key, sent);
    return sent;
  };
}

/** Whose rule it is decides nothing. */
function ruleThatSays(tls: ClientTls, { ref }: ServiceEntry): MergedRule {
  return { traffic: { tls, ports: new Map() }, ref, subsets: [], ignored: [] };
}
