/** All watches of a cluster, begun together. */

import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { KubeConnection } from "../../../edge/kube/kube-connection.ts";
import { namespaces, pods, serviceAccounts } from "../../../edge/kube/read/read-identities.ts";
import { policyKinds } from "../../../edge/kube/read/read-policy-objects.ts";
import { endpointSlices, services } from "../../../edge/kube/read/read-services.ts";
import type { ReflectorEvent, WatchedKind } from "../../../edge/kube/watch/reflector-options.ts";
import type { KubeCaches } from "./kube.ts";
import { KubeWatch, type WatchedCache } from "./watched-cache.ts";

export interface WatchesOptions {
  readonly connection: KubeConnection;
  /** Monotonic; counts a suspension of the machine, too. */
  readonly nowMs: () => number;
  /** When the last question began that the API server answered. */
  readonly aliveMs?: () => number | undefined;
  readonly onEvent: (resource: string, event: ReflectorEvent) => void;
}

export interface NamedWatch {
  /** As its path ends, such as `pods`. */
  readonly resource: string;
  readonly watch: WatchedCache<KubeObject>;
}

export interface KubeWatches {
  readonly caches: KubeCaches;
  readonly all: readonly NamedWatch[];
}

/** They run until `owned` ends. */
export function beginWatches(
  { connection, nowMs, aliveMs, onEvent }: WatchesOptions,
  owned: AsyncDisposableStack,
): KubeWatches {
  const all: NamedWatch[] = [];
  const begin = <T extends KubeObject>(kind: WatchedKind<T>): KubeWatch<T> => {
    const resource = kind.path.slice(kind.path.lastIndexOf("/") + 1);
    const watch = new KubeWatch({
      connection,
      kind,
      nowMs,
      ...(aliveMs && { aliveMs }),
      random: Math.random,
      onEvent: (event) => onEvent(resource, event),
    });
    owned.use(watch);
    all.push({ resource, watch });
    return watch;
  };
  const caches = {
    accounts: begin(serviceAccounts),
    pods: begin(pods),
    namespaces: begin(namespaces),
    services: begin(services),
    slices: begin(endpointSlices),
    policies: policyKinds.map((kind) => begin(kind)),
  };
  return { caches, all };
}
