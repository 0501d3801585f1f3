/** The cluster that a server is in, as its parts share it. */

import type { TokenCheck } from "../../../core/kube/who/effective-mode.ts";
import type { EndpointSlice, KubeService } from "../../../core/kube/kube-service.ts";
import type { KubeNamespace } from "../../../core/kube/namespace.ts";
import type { Pod } from "../../../core/kube/pod.ts";
import type { PodPlaces } from "../../../core/kube/pod-places.ts";
import type { KubeServiceAccount } from "../../../core/kube/service-account.ts";
import type { KubeConnection } from "../../../edge/kube/kube-connection.ts";
import type { KubeError } from "../../../edge/kube/kube-error.ts";
import type { LivenessProblem } from "../../../edge/kube/liveness-probe.ts";
import type { WatchedManifest } from "../../../edge/kube/read/read-policy-objects.ts";
import type { KubeEvents } from "../../../edge/telemetry/kube-events.ts";
import type { Arrivals } from "./arrivals.ts";
import type { ClusterKeys } from "./who/cluster-keys.ts";
import type { WatchedCache } from "./watched-cache.ts";

export interface KubeCaches {
  readonly accounts: WatchedCache<KubeServiceAccount>;
  readonly pods: WatchedCache<Pod>;
  readonly namespaces: WatchedCache<KubeNamespace>;
  readonly services: WatchedCache<KubeService>;
  readonly slices: WatchedCache<EndpointSlice>;
  /** The five kinds, in the order of `policyKinds`. */
  readonly policies: readonly WatchedCache<WatchedManifest>[];
}

/** How a watch does, for operators. Times are spans before now, in ms. */
export interface WatchReport {
  /** Such as `pods`. */
  readonly resource: string;
  readonly objects: number;
  /** How far it is behind at most; undefined: it has never been filled. */
  readonly staleMs: number | undefined;
  readonly isAbsent: boolean;
  readonly unreadable: number;
  readonly failure: KubeError | undefined;
}

export interface Kube {
  readonly connection: KubeConnection;
  /** The server's own. */
  readonly namespace: string;
  readonly caches: KubeCaches;
  readonly places: PodPlaces;
  /** Who waits for something to be seen by the watches. */
  readonly arrivals: Arrivals;
  /** How tokens are checked now. */
  readonly mode: () => TokenCheck;
  /** How far behind the caches that decide are, in ms; undefined: one has never been filled. */
  readonly staleMs: () => number | undefined;
  /** Whether they are within the limit, so that what they say of who exists may be granted on. */
  readonly isCurrent: () => boolean;
  readonly watches: () => readonly WatchReport[];
  /** Why those that are silent cannot be proven current; undefined while they can. */
  readonly liveness: () => LivenessProblem | undefined;
  /** The cluster's tokens: their issuers, and where their keys are. */
  readonly keys: ClusterKeys;
  readonly events: KubeEvents;
}
