/** Which hosts a Sidecar lets its workloads call: `NAMESPACE/HOST`, where `.` is the workload's own namespace and `~` none. */

import type { ServiceEntry } from "../resources/service-entry.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import { isExportedTo } from "./export-to.ts";

/** @param namespace of the workload, also where the Sidecar is the root namespace's */
export function isInEgress(
  { egress }: Pick<Sidecar, "egress">,
  namespace: string,
  service: ServiceEntry,
  host: string,
): boolean {
  if (egress === undefined) return true;
  return egress.some(({ hosts }) =>
    hosts.some((each) => selectsHost(each, namespace, service, host)),
  );
}

/** One of `hosts`, for one of the service's hosts. */
export function selectsHost(
  pattern: string,
  namespace: string,
  service: ServiceEntry,
  host: string,
): boolean {
  const slash = pattern.indexOf("/");
  const place = pattern.slice(0, slash);
  const wanted = place === "." ? namespace : place;
  if (wanted !== "*" && wanted !== service.ref.namespace) return false;
  return matchesHost(pattern.slice(slash + 1), host) && isExportedTo(service, namespace);
}

/** `*` for all, `*.internal` for all below; both may have a star. */
export function matchesHost(pattern: string, host: string): boolean {
  if (pattern === "*" || pattern === host) return true;
  return (
    pattern.startsWith("*.") && host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
  );
}
