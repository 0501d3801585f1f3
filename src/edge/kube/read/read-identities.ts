/** ServiceAccount, Namespace and Pod: as whom something runs, where, and whether it is there. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeNamespace } from "../../../core/kube/namespace.ts";
import type { Pod, PodPhase } from "../../../core/kube/pod.ts";
import type { KubeServiceAccount } from "../../../core/kube/service-account.ts";
import type { WatchedKind } from "../watch/reflector-options.ts";
import { headOf, objectOf, objectsOf, textOf } from "./raw-object.ts";

export const serviceAccounts: WatchedKind<KubeServiceAccount> = {
  path: "/api/v1/serviceaccounts",
  parse: (raw) => {
    const head = headOf(raw);
    if (head === undefined) return undefined;
    const { namespace, name, uid, createdMs, deletionMs } = head;
    return { namespace, name, uid, createdMs, deletionMs };
  },
};

export const namespaces: WatchedKind<KubeNamespace> = {
  path: "/api/v1/namespaces",
  parse: (raw) => {
    const head = headOf(raw);
    if (head === undefined) return undefined;
    const { namespace, name, uid, labels, deletionMs } = head;
    const isTerminating =
      deletionMs !== undefined || objectOf(raw["status"])["phase"] === "Terminating";
    return { namespace, name, uid, labels, isTerminating };
  },
};

export const pods: WatchedKind<Pod> = { path: "/api/v1/pods", parse: readPod };

const phases: readonly PodPhase[] = ["Pending", "Running", "Succeeded", "Failed"];

function readPod(raw: JsonObject): Pod | undefined {
  const head = headOf(raw);
  if (head === undefined) return undefined;
  const { namespace, name, uid, createdMs, deletionMs, labels } = head;
  const [spec, status] = [objectOf(raw["spec"]), objectOf(raw["status"])];
  return {
    namespace,
    name,
    uid,
    createdMs,
    deletionMs,
    serviceAccount: textOf(spec["serviceAccountName"]),
    nodeName: textOf(spec["nodeName"]),
    phase: phaseOf(status),
    podIPs: addressesOf(status),
    labels,
    hostNetwork: spec["hostNetwork"] === true,
    isReady: objectsOf(status["conditions"]).some(
      ({ type, status }) => type === "Ready" && status === "True",
    ),
  };
}

/**
 * The collector of pods whose node is lost calls them failed, and nobody has asked their node: they may run (Kubernetes: "Pod disruption
 * conditions").
 */
function phaseOf(status: JsonObject): PodPhase {
  const isAbandoned = objectsOf(status["conditions"]).some(
    ({ type, reason }) => type === "DisruptionTarget" && reason === "DeletionByPodGC",
  );
  return (!isAbandoned && phases.find((each) => each === status["phase"])) || "Unknown";
}

/** Each family once, the primary one first; `podIP` alone is from before Kubernetes 1.16. */
function addressesOf(status: JsonObject): readonly string[] {
  const all = objectsOf(status["podIPs"]).map(({ ip }) => textOf(ip));
  return (all.length > 0 ? all : [textOf(status["podIP"])]).filter((ip) => ip !== "");
}
