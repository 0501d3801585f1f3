/** A proxy as the index keeps it, and its policy put together from what is decided for many. */

import type { WorkloadEntry } from "../resources/workload-entry.ts";
import { nameKey } from "../resources/resource.ts";
import type { NamedWorkload } from "./holds.ts";
import { inboundPorts } from "./inbound-ports.ts";
import type { Labelled } from "./labels.ts";
import type { ProxyIdentity } from "./proxy-identity.ts";
import { emptyPolicy, type PortModes, type ProxyPolicy } from "./proxy-policy.ts";
import type { WorkloadClass } from "./workload-classes.ts";

export interface IndexedProxy {
  identity: ProxyIdentity;
  /** Its own: the one of its name, namespace and service account. */
  entry: WorkloadEntry | undefined;
  of: WorkloadClass;
  policy: ProxyPolicy;
  taken: ProxyPolicy | undefined;
  takenAddress: string | undefined;
}

export function policyOf({ entry, of }: IndexedProxy, modes: PortModes): ProxyPolicy {
  const { sidecar, view } = of;
  return {
    inbound: sidecar === undefined ? [] : inboundPorts(sidecar, entry?.address, modes),
    outbound: view?.outbound ?? emptyPolicy.outbound,
    clusters: view?.clusters ?? emptyPolicy.clusters,
    modes,
  };
}

export function labelledOf(
  { namespace, claimedLabels }: ProxyIdentity,
  entry: WorkloadEntry | undefined,
): Labelled {
  return { namespace, labels: entry?.labels ?? claimedLabels };
}

/** One without an entry of its own is known by the name that it gives itself. */
export function namedOf({
  identity: { nodeId: name },
  of: { namespace, labels },
}: IndexedProxy): NamedWorkload {
  return { namespace, labels, name };
}

export function nameOf({ namespace, nodeId }: ProxyIdentity): string {
  return nameKey({ namespace, name: nodeId });
}
