/** Which ports of which services an egress listener's `hosts` select, as a client of a namespace sees them. */

import type { ServiceEntry } from "../resources/service-entry.ts";
import { selectsHost } from "./explain-egress.ts";
import { countingFor } from "./host-owners.ts";
import { isCallable, type CalledPort } from "./outbound-cluster.ts";
import type { Services } from "./services.ts";

/** By host: of each port number the service that counts. */
export type CalledHosts = ReadonlyMap<string, readonly CalledPort[]>;

export function calledHosts(
  services: Services,
  namespace: string,
  patterns: readonly string[],
): CalledHosts {
  const found = new Map<string, Set<ServiceEntry>>();
  for (const pattern of patterns) {
    for (const service of candidates(services, namespace, pattern)) {
      for (const host of service.hosts) {
        if (!selectsHost(pattern, namespace, service, host) || !isCallable(service, host)) continue;
        found.set(host, (found.get(host) ?? new Set()).add(service));
      }
    }
  }
  const called = Array.from(found.keys(), (host) => {
    const counting = countingFor(host, namespace, (name) => found.get(name) ?? []);
    return [host, portsOf(host, counting)] as const;
  });
  return new Map(called.filter(([, ports]) => ports.length > 0));
}

/** Where a client would look for what a pattern selects: a key that services have, too. */
export function placeOf(pattern: string, namespace: string): string {
  const [wanted, host] = partsOf(pattern, namespace);
  return `${wanted}/${host.startsWith("*") ? "*" : host}`;
}

/** All places in which one of the service's hosts is found. */
export function placesOf({ ref, hosts }: ServiceEntry): readonly string[] {
  const names = [...hosts, "*"];
  return [ref.namespace, "*"].flatMap((namespace) => names.map((name) => `${namespace}/${name}`));
}

function candidates(
  services: Services,
  namespace: string,
  pattern: string,
): Iterable<ServiceEntry> {
  const [wanted, host] = partsOf(pattern, namespace);
  if (!host.startsWith("*")) return services.withHost(host);
  return wanted === "*" ? services.all() : services.inNamespace(wanted);
}

function partsOf(pattern: string, namespace: string): readonly [namespace: string, host: string] {
  const slash = pattern.indexOf("/");
  const written = pattern.slice(0, slash);
  return [written === "." ? namespace : written, pattern.slice(slash + 1)];
}

/** A nearer service hides the ports of another one that has the same numbers. */
function portsOf(host: string, services: readonly ServiceEntry[]): readonly CalledPort[] {
  const ports = new Map<number, CalledPort>();
  for (const service of services) {
    for (const port of service.ports) {
      if (!ports.has(port.number)) ports.set(port.number, { service, port, host });
    }
  }
  return [...ports.values()];
}
