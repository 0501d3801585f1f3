/** The configuration that a cluster has: its policies, recorded, and what stands for its pods and services, which is not. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../../../core/kube/pod.ts";
import type { ResourceName } from "../../../../core/resources/resource.ts";
import { definitionState } from "../../../../edge/kube/read/read-definition.ts";
import { policyKinds, type PolicyKind } from "../../../../edge/kube/read/read-policy-objects.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import type { Resources } from "../../policy/resources/resources.ts";
import { ClusterFollower } from "./cluster-follower.ts";
import { DerivedObjects } from "./derived-objects.ts";
import type { Kube, KubeCaches } from "../kube.ts";
import type { WatchedPolicies } from "./cluster-kinds.ts";

export interface KubeConfigurationOptions {
  readonly resources: Resources;
  /** Such as `cluster.local`. */
  readonly clusterDomain: string;
  readonly log: Logger;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Aborted when shutdown begins. */
  readonly signal: AbortSignal;
}

export interface KubeConfiguration {
  /** Whether all is known that stands for pods and services: until then who is there is not known, and nobody is told anything new. */
  readonly isComplete: () => boolean;
  readonly podOf: (name: ResourceName) => Pod | undefined;
  readonly pods: KubeCaches["pods"];
}

/** A start waits so long for what others may not have waited for. */
const completeMs = 10_000;
const lookMs = 50;

/** @param kube undefined: no cluster, and what one had is forgotten. @throws the reason of the signal */
export async function openKubeConfiguration(
  kube: Pick<Kube, "caches" | "connection"> | undefined,
  { resources, clusterDomain, log, nowMs, signal }: KubeConfigurationOptions,
  owned: AsyncDisposableStack,
): Promise<KubeConfiguration | undefined> {
  if (kube === undefined) {
    await forgetCluster(resources, log);
    return undefined;
  }
  const { pods, services, slices } = kube.caches;
  const isComplete = (): boolean =>
    [pods, services, slices].every((watch) => watch.state().listedMs !== undefined);
  for (const endMs = nowMs() + completeMs; !isComplete() && nowMs() < endMs;) {
    await sleep(lookMs, undefined, { signal });
  }
  if (!isComplete()) {
    const fields = { event: "cluster-not-listed", waitedMs: completeMs };
    log.error(
      fields,
      "the cluster's pods and services are not known yet: no proxy is told anything new",
    );
  }
  const caches = { pods, services, slices };
  owned.use(new DerivedObjects({ caches, set: resources.set, clusterDomain }));
  const policies = policyKinds.flatMap((kind, at) => {
    const watch = kube.caches.policies[at];
    return watch === undefined ? [] : [watchedPolicies(kind, watch, kube.connection)];
  });
  const follower = owned.use(new ClusterFollower({ policies, resources, log, nowMs }));
  await follower.takeNow();
  return {
    isComplete,
    pods,
    podOf: ({ namespace, name }) => pods.cache.find(namespace, name),
  };
}

function watchedPolicies(
  { kind, path }: PolicyKind,
  watch: KubeCaches["policies"][number],
  connection: Kube["connection"],
): WatchedPolicies {
  return {
    kind,
    cache: watch.cache,
    onChange: (listener) => watch.onChange(listener),
    state: () => watch.state(),
    definition: (ending) => definitionState(connection, path, ending),
  };
}

async function forgetCluster(resources: Resources, log: Logger): Promise<void> {
  if (resources.set.layer("cluster").size === 0) return;
  try {
    await resources.takeCluster(() => ({ objects: [], kept: [], problems: [] }));
  } catch (error) {
    const fields = { event: "cluster-resources-not-recorded", ...failureFields(error) };
    log.error(fields, "objects of a cluster that is left are in force");
  }
}
