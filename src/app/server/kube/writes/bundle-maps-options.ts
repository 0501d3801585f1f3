/** What the ConfigMaps with the roots are kept by, and what is said of them. */

import type { BundleMap } from "../../../../core/kube/writes/bundle-map.ts";
import type { BundleMapsView } from "../../../../core/kube/writes/bundle-maps-view.ts";
import type { KubeNamespace } from "../../../../core/kube/namespace.ts";
import type { ObjectCache } from "../../../../core/kube/object-cache.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import type { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import type { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import type { BundleRoots } from "./bundle-map-write.ts";
import type { LeftNamespace } from "./left-namespaces.ts";

export interface BundleMapsOptions {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  /** Of the ConfigMaps. */
  readonly name: string;
  readonly namespaces: ObjectCache<KubeNamespace>;
  /** What the watch of the ConfigMaps has seen; undefined until it has seen all of them. */
  readonly maps: () => ObjectCache<BundleMap> | undefined;
  readonly roots: () => BundleRoots;
  /** Whether those are surely the mesh's: until then all waits. */
  readonly mayWrite: () => boolean;
  readonly events: BundleMapEvents;
  /** In [0, 1) */
  readonly random: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export interface BundleMapsState extends BundleMapsView {
  /** Some of those that the API server will not have, with its reason. */
  readonly failing: readonly LeftNamespace[];
  /** Namespaces in which somebody else writes the same ConfigMap, again and again. */
  readonly contested: number;
  /** Who that is, by `managedFields`, as it was seen last; "" where nobody says. */
  readonly contestedBy: string;
}
