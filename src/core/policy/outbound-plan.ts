/**
 * The listeners that a Sidecar's `egress` gives a client, and the clusters that they lead to. An Envoy without interception has one
 * address for each port of a service: HTTP is told apart by the host that is asked for, TCP is not, and there the oldest has it, a
 * Service of Kubernetes before any ServiceEntry.
 */

import type { EgressListener, Sidecar, SidecarPort } from "../resources/sidecar.ts";
import { compareText } from "../compare-text.ts";
import { calledHosts } from "./egress-services.ts";
import { compareClaims } from "./host-owners.ts";
import { takenAddresses } from "./inbound-ports.ts";
import { clusterName, isHttp, type CalledPort } from "./outbound-cluster.ts";
import type { OutboundPort } from "./proxy-policy.ts";
import { routeDomains } from "./route-domains.ts";
import type { Services } from "./services.ts";

export interface Egress {
  readonly namespace: string;
  readonly listeners: readonly EgressListener[];
  /** `HOST|PORT` that listeners without a port leave alone; `*` for all hosts. */
  readonly taken: readonly string[];
}

export interface OutboundPlan {
  readonly outbound: readonly OutboundPort[];
  /** By the name of the cluster, in that order. */
  readonly called: ReadonlyMap<string, CalledPort>;
}

interface Listener {
  readonly bind: string;
  readonly port: number;
  readonly protocol: OutboundPort["protocol"];
  /** By host. */
  readonly called: ReadonlyMap<string, CalledPort>;
}

const loopback = "127.0.0.1";
/** Where nothing is said: everybody whom it sees. */
const everybody: readonly EgressListener[] = [{ port: undefined, bind: "", hosts: ["*/*"] }];

/** @param namespace of the clients, also where the Sidecar is the root namespace's */
export function egressOf(sidecar: Sidecar, namespace: string): Egress {
  const listeners = sidecar.egress ?? everybody;
  const isNamed = listeners.every(({ port }) => port !== undefined);
  return { namespace, listeners, taken: isNamed ? [] : takenAddresses(sidecar) };
}

export function planOutbound(services: Services, egress: Egress): OutboundPlan {
  const listeners = new Map<string, Listener>();
  for (const { port, bind, hosts } of egress.listeners) {
    if (port === undefined) continue;
    const at = { bind: bind || loopback, port: port.number };
    // Of two for one address the first holds.
    if (listeners.has(keyOf(at))) continue;
    const called = Array.from(calledHosts(services, egress.namespace, hosts).values())
      .map((ports) => portFor(port, ports))
      .filter((each) => each !== undefined);
    const protocol = isHttp(port.protocol) ? "http" : "tcp";
    listeners.set(keyOf(at), listenerOf(at, protocol, called));
  }
  for (const [key, { at, called }] of eachPort(services, egress)) {
    const [oldest] = called;
    if (listeners.has(key) || oldest === undefined) continue;
    const isForHttp = isHttp(oldest.port.protocol);
    const same = called.filter(({ port }) => isHttp(port.protocol) === isForHttp);
    listeners.set(key, listenerOf(at, isForHttp ? "http" : "tcp", same));
  }
  return planOf([...listeners.values()], egress.namespace);
}

type Address = Pick<Listener, "bind" | "port">;

function keyOf({ bind, port }: Address): string {
  return `${bind}|${port}`;
}

/** What the listeners without a port select, the oldest first, by where it would be. */
function eachPort(
  services: Services,
  { namespace, listeners, taken }: Egress,
): ReadonlyMap<string, { readonly at: Address; readonly called: readonly CalledPort[] }> {
  const found = new Map<string, { at: Address; called: CalledPort[] }>();
  for (const { port: written, bind: at, hosts } of listeners) {
    if (written !== undefined) continue;
    const bind = at || loopback;
    for (const each of Array.from(calledHosts(services, namespace, hosts).values()).flat()) {
      const { number: port } = each.port;
      if (taken.includes(`${bind}|${port}`) || taken.includes(`*|${port}`)) continue;
      const key = keyOf({ bind, port });
      const there = found.get(key) ?? { at: { bind, port }, called: [] };
      there.called.push(each);
      found.set(key, there);
    }
  }
  for (const each of found.values()) each.called = each.called.toSorted(compareCalled);
  return found;
}

/** The service's port of the same number, else the only one, else the first that speaks what the listener does. */
function portFor(listener: SidecarPort, ports: readonly CalledPort[]): CalledPort | undefined {
  const same = ports.find(({ port }) => port.number === listener.number);
  if (same !== undefined || ports.length === 1) return same ?? ports[0];
  const isForHttp = isHttp(listener.protocol);
  return ports.find(({ port }) => isHttp(port.protocol) === isForHttp);
}

function listenerOf(
  at: Address,
  protocol: Listener["protocol"],
  called: readonly CalledPort[],
): Listener {
  const sorted = called.toSorted(compareCalled);
  // Backwards: of two for one host the oldest stays.
  const reached = protocol === "tcp" ? sorted.slice(0, 1) : sorted.toReversed();
  return { ...at, protocol, called: new Map(reached.map((each) => [each.host, each])) };
}

function compareCalled(a: CalledPort, b: CalledPort): number {
  return compareClaims(a.service, b.service) || compareText(a.host, b.host);
}

function planOf(listeners: readonly Listener[], namespace: string): OutboundPlan {
  const called = new Map<string, CalledPort>();
  const outbound = listeners
    .filter((listener) => listener.called.size > 0)
    .toSorted((a, b) => compareText(a.bind, b.bind) || a.port - b.port)
    .map(({ bind, port, protocol, called: hosts }): OutboundPort => {
      const domains = routeDomains([...hosts.keys()], port, namespace);
      for (const each of hosts.values()) {
        if (!called.has(clusterName(each))) called.set(clusterName(each), each);
      }
      const routes = Array.from(hosts.values(), (each) => ({
        domains: protocol === "tcp" ? [] : (domains.get(each.host) ?? []),
        cluster: clusterName(each),
      }));
      return {
        bind,
        port,
        protocol,
        routes: routes.toSorted((a, b) => compareText(a.cluster, b.cluster)),
      };
    });
  return {
    outbound,
    called: new Map([...called].toSorted(([a], [b]) => compareText(a, b))),
  };
}
