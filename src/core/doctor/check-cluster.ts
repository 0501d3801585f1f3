/** What a server writes into its cluster: roots in the namespaces, the Secret of the trust; and its pods. */

import { inThePod } from "../kube/in-the-pod.ts";
import type { Problem } from "../problem.ts";
import { critical, ok, orOk, someOf, warning, type Said } from "./finding.ts";

export interface BundleMapFacts {
  /** Of the ConfigMaps; `off` for none. */
  readonly name: string;
  /** Namespaces that are to have one. */
  readonly total: number;
  /** Of those: how many have no such ConfigMap, or other roots in it; and some of them. */
  readonly behind: number;
  readonly names: readonly string[];
  /** Who else writes roots of his own ("" for nobody who is known), and in how many namespaces. */
  readonly rivals: ReadonlyMap<string, number>;
  /** Some of those that the API server does not take, with its reason. */
  readonly failing: readonly { readonly namespace: string; readonly reason: string }[];
}

export function checkBundleMaps(facts: BundleMapFacts): readonly Said[] {
  const { name, total, behind, names, rivals, failing } = facts;
  if (name === "off") return [ok("no ConfigMaps are to be kept")];
  const found: Said[] = [];
  if (behind > 0) {
    const finding = `${name} is behind the trust bundle in ${behind} of ${counted(total)}`;
    const hint =
      "a server that runs writes it within seconds, if it may: the checks server and rbac";
    found.push(warning(`${finding}: ${someOf(names)}`, hint));
  }
  for (const [by, count] of rivals) {
    const finding = `${by || "somebody"} writes other roots into ${name} in ${counted(count)}`;
    found.push(warning(finding, rivalHint));
  }
  for (const { namespace, reason } of failing) {
    const finding = `${name} cannot be written in ${namespace}: ${reason}`;
    found.push(warning(finding, `kubectl --namespace ${namespace} describe configmap ${name}`));
  }
  return orOk(found, `${name} has the roots in all of ${counted(total)}`);
}

function counted(namespaces: number): string {
  return `${namespaces} namespace${namespaces === 1 ? "" : "s"}`;
}

const rivalHint =
  "turn that writer off, or give another --bundle-config-map: docs/migrate-from-istio.md";

export interface TrustSecretFacts {
  /** Of the Secret and its Lease, NAMESPACE/NAME. */
  readonly name: string;
  /** The Secret was looked at, and not its Lease alone. */
  readonly isSeen: boolean;
  /** Why nothing is signed by it. */
  readonly problems: readonly Problem[];
  /** Something is stored by the server that is not in the Secret yet. */
  readonly isBehind: boolean;
  /** What the Secret cannot have, or who else writes it; undefined for nothing. */
  readonly shortfall: Problem | undefined;
  /** Who has the Lease; "" for nobody, undefined where that is not known. */
  readonly holder: string | undefined;
}

export function checkTrustSecret(facts: TrustSecretFacts): readonly Said[] {
  const { name, isSeen, problems, isBehind, shortfall, holder } = facts;
  const found = problems.map(({ detail, hint }) =>
    critical(`${name}: ${detail}`, hint || "docs/kubernetes.md, Where the root's key is"),
  );
  if (shortfall !== undefined) {
    const what = isBehind ? `${name} is behind the server` : name;
    found.push(warning(`${what}: ${shortfall.detail}`, shortfall.hint));
  } else if (isBehind) {
    const finding = `${name} is behind the server: its newest change is in its data directory alone`;
    found.push(warning(finding, "is the API server reached, and may the server write it?"));
  }
  if (holder === "") {
    found.push(warning(`nobody has the Lease ${name}`, "does the server run? no trust is changed"));
  }
  const has = [
    ...(isSeen ? [`Secret ${name} has the trust`] : []),
    ...(holder ? [`${holder} has the Lease ${name}`] : []),
  ];
  return orOk(found, has.join("; "));
}

export interface SettingsFacts {
  /** The ConfigMap that the server's pod mounts, NAMESPACE/NAME. */
  readonly name: string;
  /** Why a server does not start with it. */
  readonly fault: Problem | undefined;
}

export function checkSettings({ name, fault }: SettingsFacts): readonly Said[] {
  if (fault === undefined) return [ok(`ConfigMap ${name} has what a server starts with`)];
  const [namespace = "", map = ""] = name.split("/");
  const mend = `mend it: kubectl --namespace ${namespace} edit configmap ${map}, or the chart's values; a pod has it with its next start`;
  const hint = [fault.hint, mend].filter((each) => each !== "").join("; ");
  return [critical(`no server starts with ConfigMap ${name}: ${fault.detail}`, hint)];
}

export interface ServerPod {
  readonly name: string;
  readonly isReady: boolean;
  /** Why not, as Kubernetes has it: `CrashLoopBackOff: back-off 5m0s`; may be "". */
  readonly reason: string;
}

export interface PodFacts {
  readonly namespace: string;
  readonly pods: readonly ServerPod[];
}

export function checkPods({ namespace, pods }: PodFacts): readonly Said[] {
  if (pods.length === 0) {
    const finding = `namespace ${namespace} has no pod of a server`;
    return [critical(finding, "name its namespace by --kube-namespace, or: docs/kubernetes.md")];
  }
  const found = pods.flatMap(({ name, isReady, reason }) => {
    if (isReady) return [];
    const look = `kubectl --namespace ${namespace} describe pod ${name}`;
    const hint = `${look}; ${inThePod({ namespace, pod: name })}`;
    return [critical(`pod ${name} is not ready${reason && `: ${reason}`}`, hint)];
  });
  return orOk(found, `${pods.length} pod of the server is ready`);
}
