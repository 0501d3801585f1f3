/**
 * Of several who have a host those that count for a client, the nearest first. As in Istio, where a Service of Kubernetes has the host,
 * ServiceEntries of other namespaces than the client's do not count, however old they are: else whoever may write one in some namespace
 * would be sent what all others call. The short forms of its host are the Service's, too.
 */

import { compareAge } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { fullNames, shortNames } from "./route-domains.ts";

/** @param having those that have just this host, as far as the client sees them */
export function countingFor(
  host: string,
  namespace: string,
  having: (host: string) => Iterable<ServiceEntry>,
): readonly ServiceEntry[] {
  const isStrange = (entry: ServiceEntry): boolean =>
    entry.ref.namespace !== namespace && !isOfCluster(entry);
  const all = Array.from(having(host)).toSorted((a, b) => compareNearness(a, b, namespace));
  const isTaken =
    all.some(isStrange) &&
    [host, ...fullNames(host, namespace)].some((name) =>
      Array.from(having(name)).some(isOfCluster),
    );
  return isTaken ? all.filter((each) => !isStrange(each)) : all;
}

/** Whether which service of one of the hosts a client is given may depend on it. */
export function isAbout(entry: ServiceEntry, hosts: ReadonlySet<string>): boolean {
  return namesOf(entry).some((name) => hosts.has(name));
}

/** Its hosts; of the cluster's own with their short forms. */
export function namesOf(entry: ServiceEntry): readonly string[] {
  if (!isOfCluster(entry)) return entry.hosts;
  return entry.hosts.flatMap((host) => [host, ...shortNames(host, entry.ref.namespace)]);
}

/** Where hosts share an address. @returns below 0 where `a` has it */
export function compareClaims(a: ServiceEntry, b: ServiceEntry): number {
  return Number(isOfCluster(b)) - Number(isOfCluster(a)) || compareAge(a, b);
}

/** It is the Service that the cluster's name means, and not what somebody says of that name. */
export function isOfCluster({ ref }: ServiceEntry): boolean {
  return ref.standsFor?.kind === "Service";
}

/** Below 0 where `a` is the one that a client of this namespace gets: its own, then the cluster's, then the oldest. */
function compareNearness(a: ServiceEntry, b: ServiceEntry, namespace: string): number {
  const isOther = ({ ref }: ServiceEntry): number => Number(ref.namespace !== namespace);
  return isOther(a) - isOther(b) || compareClaims(a, b);
}
