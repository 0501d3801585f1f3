/** Where a workload is, and as whom it runs: by its WorkloadEntry, else by its pod. */

import { canonicalIp } from "../../../core/evidence/ip-address.ts";
import { isFinished, type Pod } from "../../../core/kube/pod.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";

export interface WorkloadPlace {
  /** Of the pod: another one of its name is another workload; "" for a WorkloadEntry. */
  readonly uid: string;
  /** Canonical. */
  readonly addresses: readonly string[];
  readonly serviceAccount: string;
  /** By its own word, whoever its proxy belongs to. */
  readonly hasProxy: boolean;
}

export function placeOfEntry({ address, serviceAccount }: WorkloadEntry): WorkloadPlace {
  return { uid: "", addresses: canonical([address]), serviceAccount, hasProxy: false };
}

/** @returns undefined for one that has no address of its own: with `hostNetwork` it has its node's, as many others do */
export function placeOfPod(pod: Pod): WorkloadPlace | undefined {
  const { uid, podIPs, serviceAccount, hostNetwork, labels } = pod;
  if (hostNetwork || isFinished(pod)) return undefined;
  const hasProxy = labels.get("security.istio.io/tlsMode") === "istio";
  return { uid, addresses: canonical(podIPs), serviceAccount, hasProxy };
}

function canonical(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.flatMap((each) => canonicalIp(each) ?? []))];
}
