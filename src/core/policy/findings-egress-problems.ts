/** What a Sidecar's egress selects, against what its Envoys get of it. */

import type { EgressListener } from "../resources/sidecar.ts";
import { calledHosts } from "./egress-services.ts";
import type { Finding } from "./finding.ts";
import { firstOf } from "./findings-words.ts";
import { clusterName } from "./outbound-cluster.ts";
import { planOutbound, type Egress, type OutboundPlan } from "./outbound-plan.ts";
import type { OutboundPort } from "./proxy-policy.ts";
import type { Services } from "./services.ts";

export interface EgressProblem extends Pick<Finding, "code" | "path" | "text" | "hint"> {
  /** What it is about, beside the path. */
  readonly subject?: number;
}

export const nothingMatches = "egress-matches-nothing";

export function egressProblems(services: Services, egress: Egress): readonly EgressProblem[] {
  const plan = planOutbound(services, egress);
  return egress.listeners.flatMap((listener, at) => {
    const path = `spec.egress[${at}]`;
    return [
      ...patternsOfNobody(services, egress, listener, path),
      ...(listener.port === undefined
        ? lostPorts(services, egress, listener, plan, path)
        : lostHosts(services, egress, listener, plan, path)),
    ];
  });
}

function patternsOfNobody(
  services: Services,
  { namespace }: Egress,
  { hosts }: EgressListener,
  path: string,
): readonly EgressProblem[] {
  return hosts.flatMap((pattern, at) => {
    const isMeant = pattern.startsWith("~/") || pattern === "*/*";
    if (isMeant || calledHosts(services, namespace, [pattern]).size > 0) return [];
    const text = `no ServiceEntry that ${namespace} sees has a host for ${pattern} that can be called`;
    const hint = 'it is NAMESPACE/HOST, the namespace that of the ServiceEntry; "*/HOST" for any';
    return [{ code: nothingMatches, path: `${path}.hosts[${at}]`, text, hint }];
  });
}

/** A listener with a port leads to one port of each host, and to one host if it is not HTTP. */
function lostHosts(
  services: Services,
  { namespace, listeners }: Egress,
  listener: EgressListener,
  plan: OutboundPlan,
  path: string,
): readonly EgressProblem[] {
  const { hosts, bind, port } = listener;
  const isSame = (each: EgressListener): boolean =>
    each.bind === bind && each.port?.number === port?.number;
  if (listeners.find(isSame) !== listener) {
    const text = `${bind || loopback}:${port?.number ?? 0} has a listener already; the first one counts`;
    return [{ code: "egress-port-twice", path: `${path}.port.number`, text, hint: "" }];
  }
  const made = listenerAt(plan, bind, port?.number);
  const reached = new Set(hostsOf(plan, made));
  const lost = [...calledHosts(services, namespace, hosts).keys()].filter(
    (host) => !reached.has(host),
  );
  if (lost.length === 0) return [];
  const [first] = reached;
  const isOneOnly = made?.protocol === "tcp" && first !== undefined;
  const text = isOneOnly
    ? `it leads to one host, ${first}, since it is not HTTP; and not to ${firstOf(lost)}`
    : `it does not lead to ${firstOf(lost)}, of whose ports none speaks what it does`;
  const hint = isOneOnly
    ? "name one host, or let the port's protocol be HTTP"
    : "give it a port or a protocol that its hosts have";
  const code = isOneOnly ? "egress-several-hosts" : "egress-without-port";
  return [{ code, path: `${path}.hosts`, text, hint }];
}

/** Without a port of their own services have theirs on one address; only HTTP tells hosts apart. */
function lostPorts(
  services: Services,
  { namespace }: Egress,
  { hosts, bind }: EgressListener,
  plan: OutboundPlan,
  path: string,
): readonly EgressProblem[] {
  const lost = new Map<number, string[]>();
  for (const each of [...calledHosts(services, namespace, hosts).values()].flat()) {
    if (plan.called.has(clusterName(each))) continue;
    const { number } = each.port;
    lost.set(number, [...(lost.get(number) ?? []), each.host]);
  }
  return Array.from(lost, ([number, losers]) => {
    const [owner] = hostsOf(plan, listenerAt(plan, bind, number));
    const why =
      owner === undefined ? "is the application's, or a proxy's, own" : `leads to ${owner}`;
    const text = `${bind || loopback}:${number} ${why}; ${firstOf(losers)} cannot be called there`;
    const hint = "give each an egress listener with a port or a bind of its own";
    return { code: "outbound-port-twice", path, subject: number, text, hint };
  });
}

const loopback = "127.0.0.1";

function listenerAt(
  { outbound }: OutboundPlan,
  bind: string,
  port: number | undefined,
): OutboundPort | undefined {
  return outbound.find((each) => each.bind === (bind || loopback) && each.port === port);
}

function hostsOf({ called }: OutboundPlan, listener: OutboundPort | undefined): readonly string[] {
  return (listener?.routes ?? []).flatMap(({ cluster }) => called.get(cluster)?.host ?? []);
}
