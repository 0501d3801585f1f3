/** A pod in the shape of a WorkloadEntry, so that policies have one way to decide. */

import type { Labels } from "../../resources/resource.ts";
import type { WorkloadEntry } from "../../resources/workload-entry.ts";
import { isFinished, type Pod } from "../pod.ts";

/** Which port is which is a service's to say. One for all: an empty map has 200 bytes. */
const noPorts: WorkloadEntry["ports"] = new Map();
const tlsModeLabel = "security.istio.io/tlsMode";

/**
 * A pod that is being deleted is not called any more, as EndpointSlices have it, whatever it says.
 * @returns undefined for a pod that nobody can call: without an address, or at its end
 */
export function asWorkloadEntry(pod: Pod): WorkloadEntry | undefined {
  const [address] = pod.podIPs;
  if (address === undefined || isFinished(pod)) return undefined;
  const { namespace, name, createdMs, serviceAccount } = pod;
  return {
    ref: { kind: "WorkloadEntry", namespace, name, standsFor: { kind: "Pod", name } },
    createdMs,
    address,
    ports: noPorts,
    labels: withTlsMode(pod.labels),
    serviceAccount,
    network: "",
    locality: "",
    weight: 0,
    ...(!(pod.isReady && pod.deletionMs === undefined) && { isReady: false }),
  };
}

/** Istio: a pod without the label has no proxy. A WorkloadEntry without it has one if it has an account, and every pod has one. */
export function withTlsMode(labels: Labels): Labels {
  return labels.has(tlsModeLabel) ? labels : new Map([...labels, [tlsModeLabel, "disabled"]]);
}
