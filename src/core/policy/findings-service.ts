/** ServiceEntries that cannot be called as they stand, or whoever may answer for. */

import { refWords } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import type { Finding } from "./finding.ts";
import { exportFindings, selectorFindings } from "./findings-selected.ts";
import { firstOf, warn } from "./findings-words.ts";
import { isIpAddress, isUnixAddress } from "./host-address.ts";
import { isOfCluster } from "./host-owners.ts";
import type { MeshView } from "./mesh-view.ts";
import { fullNames } from "./route-domains.ts";

export function serviceFindings(view: MeshView): readonly Finding[] {
  return view.objects.services.flatMap((service) => [
    ...selectorFindings(view, service, service.workloadSelector, "spec.workloadSelector"),
    ...exportFindings(view, service),
    ...addressFindings(service),
    ...unusableAddresses(view, service),
    ...takenHosts(view, service),
    ...hostsTwice(view, service),
    ...anybodyMayAnswer(view, service),
  ]);
}

function addressFindings({ ref, hosts, resolution }: ServiceEntry): readonly Finding[] {
  const wildcards = hosts.filter((host) => host.startsWith("*"));
  if (resolution === "NONE") {
    const text =
      wildcards.length > 0
        ? `nobody can call ${firstOf(wildcards)}: without interception there is no address that the application meant`
        : "the host's own name is asked of DNS: without interception there is no address that the application meant";
    const hint = "write the resolution, and the endpoints or the names to resolve";
    return [warn("resolution-none", ref, "spec.resolution", text, hint)];
  }
  if (wildcards.length === 0) return [];
  const text = `every host below ${firstOf(wildcards)} is sent to the same endpoints (${resolution})`;
  return [warn("wildcard-host", ref, "spec.hosts", text, "name the hosts")];
}

/** Envoy takes a name only where it asks DNS, and a socket only where it does not. */
function unusableAddresses(view: MeshView, service: ServiceEntry): readonly Finding[] {
  const { ref, resolution } = service;
  if (resolution === "NONE") return [];
  const isStatic = resolution === "STATIC";
  const unusable = view
    .endpointsOf(service)
    .map(({ endpoint }) => endpoint.address)
    .filter((address) =>
      isStatic ? !isIpAddress(address) && !isUnixAddress(address) : isUnixAddress(address),
    )
    .map((address) => (address === "" ? "an endpoint without an address" : address));
  if (unusable.length === 0) return [];
  const text = `with ${resolution} nobody can call ${firstOf(unusable)}`;
  const hint = isStatic ? "write IP addresses, or resolution: DNS" : "write resolution: STATIC";
  return [warn("address-unusable", ref, "spec.resolution", text, hint)];
}

/** It counts in its own namespace at most: one that is shown to that only is meant so. */
function takenHosts(view: MeshView, service: ServiceEntry): readonly Finding[] {
  const { ref, hosts, exportTo } = service;
  if (isOfCluster(service) || (exportTo.length === 1 && exportTo[0] === ".")) return [];
  return hosts.flatMap((host) => {
    const owner = ownerOf(view, host);
    if (owner === undefined) return [];
    const isBeside = owner.ref.namespace === ref.namespace;
    const whom = isBeside ? "and counts in its place" : `and counts outside of ${ref.namespace}`;
    const text = `${refWords(owner.ref)} has ${host}, ${whom}: this one does not`;
    return [
      warn("host-twice", ref, "spec.hosts", text, "take the host out of it, or name another"),
    ];
  });
}

/** The cluster's own, where its host may be meant. */
function ownerOf(view: MeshView, host: string): ServiceEntry | undefined {
  const full = host.includes(".") ? [host, ...fullNames(host, "")] : [];
  return full
    .flatMap((name) => view.servicesOfHost(name))
    .find(({ service }) => isOfCluster(service))?.service;
}

/** One that is shown to its own namespace only stands over the others there on purpose. */
function hostsTwice(view: MeshView, service: ServiceEntry): readonly Finding[] {
  const { ref, hosts, exportTo } = service;
  const isOwn = exportTo.length === 1 && exportTo[0] === ".";
  return hosts.flatMap((host) => {
    const others = view.servicesOfHost(host);
    const [first] = others;
    if (first === undefined || first.service.ref === ref || ownerOf(view, host)) return [];
    if (
      isOwn &&
      others.every(
        (each) => each.service === service || each.service.ref.namespace !== ref.namespace,
      )
    ) {
      return [];
    }
    const text =
      `${refWords(first.service.ref)} has ${host}, too; a client is given its own namespace's, ` +
      "else the oldest that has the port, and never both";
    return [
      warn("host-twice", ref, "spec.hosts", text, "keep one, or put the endpoints of both into it"),
    ];
  });
}

function anybodyMayAnswer(view: MeshView, service: ServiceEntry): readonly Finding[] {
  const { ref, isInternal, subjectAltNames } = service;
  if (!isInternal || subjectAltNames.length > 0) return [];
  const endpoints = view.endpointsOf(service).map(({ endpoint }) => endpoint);
  const takes = endpoints.some(takesMeshTls);
  if (!takes || endpoints.some(({ serviceAccount }) => serviceAccount !== "")) return [];
  const text =
    "mTLS is sent to its endpoints, and none has a serviceAccount: any workload of the mesh may answer";
  const hint = "write serviceAccount into the endpoints, or subjectAltNames into the service";
  return [warn("anybody-may-answer", ref, "", text, hint)];
}
