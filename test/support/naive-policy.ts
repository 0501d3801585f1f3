/**
 * What a proxy is to do, decided from all objects at once and by looking at every one of them: the second implementation, to which
 * the index of src/core/policy is held. It shares only the decision of one port and of one call, which have tests of their own.
 */

import { decideServiceCalls, type MeshPolicy } from "../../src/core/policy/calls.ts";
import type { Hold } from "../../src/core/policy/holds.ts";
import { meshOf, objectsByKind } from "../../src/core/policy/mesh-of.ts";
import type { ProxyIdentity } from "../../src/core/policy/proxy-identity.ts";
import type {
  OutboundCluster,
  OutboundEndpoint,
  OutboundPort,
  ProxyPolicy,
  Sending,
} from "../../src/core/policy/proxy-policy.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import { compareAge, type Labels } from "../../src/core/resources/resource.ts";
import type { ServiceEntry, ServicePort } from "../../src/core/resources/service-entry.ts";
import type { EgressListener, Sidecar } from "../../src/core/resources/sidecar.ts";

interface Client {
  readonly namespace: string;
  readonly labels: Labels;
}

interface Callee {
  readonly service: ServiceEntry;
  readonly port: ServicePort;
  readonly host: string;
}

const isHttp = (protocol: string): boolean => ["HTTP", "HTTP2", "GRPC"].includes(protocol);
const isHttp2 = (protocol: string): boolean => ["HTTP2", "GRPC"].includes(protocol);
const isIp = (text: string): boolean => /^[\d.]+$/.test(text);

export function naivePolicy(
  objects: readonly PolicyObject[],
  trustDomain: string,
  identity: ProxyIdentity,
  holds: readonly Hold[] = [],
): ProxyPolicy {
  const all = objectsByKind(objects);
  const mesh = meshOf(all, trustDomain);
  const entry = all.workloads.find(
    ({ ref, serviceAccount }) =>
      ref.namespace === identity.namespace &&
      ref.name === identity.nodeId &&
      serviceAccount === identity.serviceAccount,
  );
  const client = { namespace: identity.namespace, labels: entry?.labels ?? identity.claimedLabels };
  const modeAt = (port: number) => {
    const { mode, because } = serverMode(mesh.peers, client, port);
    const isOwn = ["workload", "port"].includes(because.rule);
    const isHeld = holds.some(
      (each) =>
        each.namespace === client.namespace &&
        (each.selector.size === 0 ? !isOwn : selected(each.selector, client.labels)) &&
        (each.ports.length === 0 || each.ports.includes(port)) &&
        !each.exceptPorts.includes(port) &&
        !each.strict.has(`${identity.namespace}/${identity.nodeId}`),
    );
    return mode === "strict" && isHeld ? "permissive" : mode;
  };
  const ports = [...all.peers.map((each) => [...each.ports.keys()]), [80, 81, 8080]]
    .flat()
    .filter((port) => modeAt(port) !== modeAt(0))
    .toSorted((a, b) => a - b);
  const modes = { other: modeAt(0), ports: new Map(ports.map((port) => [port, modeAt(port)])) };
  const sidecar = sidecarOf(all.sidecars, client, mesh.config.rootNamespace);
  if (sidecar === undefined) return { inbound: [], outbound: [], clusters: [], modes };
  const callees = (hosts: readonly string[]) => calleesOf(all.services, client.namespace, hosts);
  const { outbound, called } = outboundOf(sidecar, client.namespace, callees);
  return {
    inbound: inboundOf(sidecar, entry?.address, modeAt),
    outbound,
    clusters: [...new Map(called.map((each) => [nameOf(each), each])).values()]
      .map((each) => clusterOf(mesh, client, each))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    modes,
  };
}

function selected(selector: Labels, labels: Labels): boolean {
  return [...selector].every(([key, value]) => labels.get(key) === value);
}

function sidecarOf(sidecars: readonly Sidecar[], { namespace, labels }: Client, root: string) {
  const of = (wanted: string) => sidecars.filter(({ ref }) => ref.namespace === wanted);
  const wide = (wanted: string) => of(wanted).filter((each) => each.workloadSelector.size === 0);
  const own = of(namespace).find(
    ({ workloadSelector }) => workloadSelector.size > 0 && selected(workloadSelector, labels),
  );
  return own ?? wide(namespace)[0] ?? wide(root)[0];
}

function inboundOf(
  { ingress }: Sidecar,
  address: string | undefined,
  modeAt: (port: number) => "disable" | "permissive" | "strict",
): ProxyPolicy["inbound"] {
  const own = address !== undefined && isIp(address) ? address : undefined;
  return ingress
    .filter((each, at) => ingress.findIndex(({ port }) => port.number === each.port.number) === at)
    .toSorted((a, b) => a.port.number - b.port.number)
    .map(({ port, bind, defaultEndpoint }) => {
      const [host = "", appPort] = defaultEndpoint.split(":");
      const app = { host: host === "0.0.0.0" ? (own ?? "127.0.0.1") : host, port: Number(appPort) };
      return {
        port: port.number,
        bind: bind || (own ?? "0.0.0.0"),
        protocol: port.protocol === "AUTO" ? "auto" : isHttp(port.protocol) ? "http" : "tcp",
        isHttp2: isHttp2(port.protocol),
        app: defaultEndpoint.startsWith("unix://")
          ? { kind: "unix", path: defaultEndpoint.slice(7) }
          : { kind: "ip", ...app },
        mode: modeAt(port.number),
      };
    });
}

/** Each port of each host: of those with one number the nearest. */
function calleesOf(
  services: readonly ServiceEntry[],
  namespace: string,
  patterns: readonly string[],
): readonly Callee[] {
  const sees = ({ ref, exportTo }: ServiceEntry): boolean =>
    exportTo.length === 0 ||
    exportTo.includes("*") ||
    exportTo.includes(namespace) ||
    (exportTo.includes(".") && ref.namespace === namespace);
  const isWanted = ({ ref }: ServiceEntry, host: string): boolean =>
    patterns.some((pattern) => {
      const [place = "", name = ""] = pattern.split("/");
      const isThere = place === "*" || (place === "." ? namespace : place) === ref.namespace;
      const isIt =
        name === "*" || name === host || (name[0] === "*" && host.endsWith(name.slice(1)));
      return isThere && isIt;
    });
  const canBeCalled = ({ resolution, endpoints, workloadSelector }: ServiceEntry, host: string) =>
    host[0] !== "*" ||
    resolution === "STATIC" ||
    (resolution !== "NONE" && endpoints.length + workloadSelector.size > 0);
  const near = (each: ServiceEntry): number => (each.ref.namespace === namespace ? 0 : 1);
  const hosts = services
    .filter(sees)
    .toSorted((a, b) => near(a) - near(b) || byClaim(a, b))
    .flatMap((service) => service.hosts.map((host) => ({ service, host })))
    .filter(({ service, host }) => isWanted(service, host) && canBeCalled(service, host));
  const taken = new Set(
    hosts
      .filter(({ service }) => isOfKubernetes(service))
      .flatMap(({ host }) => [host, ...shortOf(host, namespace)]),
  );
  const found = hosts
    .filter(
      ({ service, host }) => near(service) === 0 || isOfKubernetes(service) || !taken.has(host),
    )
    .flatMap(({ service, host }) => service.ports.map((port) => ({ service, port, host })));
  return found.filter(
    (each, at) => found.findIndex((other) => nameOf(other) === nameOf(each)) === at,
  );
}

const isOfKubernetes = ({ ref }: ServiceEntry): boolean => ref.standsFor !== undefined;

function byClaim(a: ServiceEntry, b: ServiceEntry): number {
  if (isOfKubernetes(a) !== isOfKubernetes(b)) return isOfKubernetes(a) ? -1 : 1;
  return compareAge(a, b);
}

function nameOf({ host, port }: Callee): string {
  return `outbound|${port.number}||${host}`;
}

function byAge(a: Callee, b: Callee): number {
  return byClaim(a.service, b.service) || (a.host < b.host ? -1 : Number(a.host !== b.host));
}

function outboundOf(
  sidecar: Sidecar,
  namespace: string,
  callees: (hosts: readonly string[]) => readonly Callee[],
): { readonly outbound: readonly OutboundPort[]; readonly called: readonly Callee[] } {
  const egress: readonly EgressListener[] = sidecar.egress ?? [
    { port: undefined, bind: "", hosts: ["*/*"] },
  ];
  const found = new Map<string, { bind: string; port: number; isHttp: boolean; to: Callee[] }>();
  for (const { port, bind, hosts } of egress) {
    if (port === undefined || found.has(`${bind || "127.0.0.1"} ${port.number}`)) continue;
    const to = [...Map.groupBy(callees(hosts), ({ host }) => host).values()].flatMap((ports) => {
      const same = ports.find((each) => each.port.number === port.number);
      const kind = ports.find((each) => isHttp(each.port.protocol) === isHttp(port.protocol));
      return same ?? (ports.length === 1 ? ports : (kind ?? []));
    });
    const at = { bind: bind || "127.0.0.1", port: port.number, isHttp: isHttp(port.protocol) };
    found.set(`${at.bind} ${at.port}`, { ...at, to });
  }
  const named = new Set(found.keys());
  const isTaken = (bind: string, port: number): boolean =>
    named.has(`${bind} ${port}`) ||
    sidecar.ingress.some(
      ({ bind: own, port: { number }, defaultEndpoint }) =>
        (own === bind && number === port) ||
        [`${bind}:${port}`, `0.0.0.0:${port}`].includes(defaultEndpoint),
    );
  const open = egress
    .filter(({ port }) => port === undefined)
    .flatMap(({ bind, hosts }) => callees(hosts).map((to) => ({ bind: bind || "127.0.0.1", to })))
    .filter(({ bind, to }) => !isTaken(bind, to.port.number));
  for (const [key, group] of Map.groupBy(open, ({ bind, to }) => `${bind} ${to.port.number}`)) {
    const to = group.map((each) => each.to).toSorted(byAge);
    const [{ bind } = { bind: "" }] = group;
    const [{ port } = { port: undefined }] = to;
    if (port === undefined) continue;
    const same = to.filter((each) => isHttp(each.port.protocol) === isHttp(port.protocol));
    found.set(key, { bind, port: port.number, isHttp: isHttp(port.protocol), to: same });
  }
  const listeners = [...found.values()]
    .toSorted((a, b) => (a.bind < b.bind ? -1 : Number(a.bind !== b.bind)) || a.port - b.port)
    .map((each) => {
      const to = each.to.toSorted(byAge);
      const once = to.filter((one, at) => to.findIndex(({ host }) => host === one.host) === at);
      return { ...each, to: each.isHttp ? once : once.slice(0, 1) };
    })
    .filter(({ to }) => to.length > 0);
  return {
    outbound: listeners.map(({ bind, port, isHttp: http, to }) => ({
      bind,
      port,
      protocol: http ? "http" : "tcp",
      routes: to
        .map((each) => ({
          domains: http ? domainsOf(each.host, port, namespace, to) : [],
          cluster: nameOf(each),
        }))
        .toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    })),
    // The first listener says which service a cluster is.
    called: listeners.flatMap(({ to }) => to).toReversed(),
  };
}

function domainsOf(host: string, port: number, namespace: string, all: readonly Callee[]) {
  const free = shortOf(host, namespace).filter((each) => !all.some((other) => other.host === each));
  return [host, ...free].flatMap((each) => [each, `${each}:${port}`]);
}

function shortOf(host: string, namespace: string): readonly string[] {
  const [, name, of] = /^([^.*]+)\.(.+)\.svc\.cluster\.local$/.exec(host) ?? [];
  if (name === undefined) return [];
  return [...(of === namespace ? [name] : []), `${name}.${of}`, `${name}.${of}.svc`];
}

function clusterOf(mesh: MeshPolicy, client: Client, callee: Callee): OutboundCluster {
  const { service, port } = callee;
  const isStatic = service.resolution === "STATIC";
  const calls = decideServiceCalls(mesh, client, { ...callee, subset: "" }).filter(({ address }) =>
    isStatic ? isIp(address) || address.startsWith("unix:") : !address.startsWith("unix:"),
  );
  const at = calls.map((each) => `${each.address}:${each.port}`);
  const once = calls.filter((each, place) => at.indexOf(`${each.address}:${each.port}`) === place);
  const mtls = once.map(({ client: { sent } }) => sent).find(({ kind }) => kind === "mtls");
  const tls = once.map(({ client: { sent } }) => sent).find(({ kind }) => kind === "origination");
  return {
    name: nameOf(callee),
    addresses: isStatic ? "eds" : "dns",
    isHttp2: isHttp2(port.protocol),
    protocol: isHttp(port.protocol) ? "http" : "tcp",
    mtls: mtls?.kind === "mtls" ? { sni: mtls.sni, sans: mtls.sans } : undefined,
    origination: tls?.kind === "origination" ? tls.tls : undefined,
    endpoints: once
      .map((each): OutboundEndpoint => {
        const { kind } = each.client.sent;
        const sends: Sending = kind === "origination" ? "tls" : kind;
        return {
          address: each.address,
          port: each.port,
          weight: each.endpoint.endpoint.weight || 1,
          sends,
        };
      })
      .toSorted((a, b) => (`${a.address}:${a.port}` < `${b.address}:${b.port}` ? -1 : 1)),
  };
}
