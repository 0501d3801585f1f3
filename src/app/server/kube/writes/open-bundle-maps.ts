/** The ConfigMaps with the roots, begun: one watch of that one name in all namespaces, and the trust that they are to say. */

import { encodeCertificates } from "../../../../core/x509/pem.ts";
import type { TrustBundle } from "../../../../core/spiffe/trust-bundle.ts";
import type { KubeNamespace } from "../../../../core/kube/namespace.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import {
  bundleMaps as mapsNamed,
  textSha256,
} from "../../../../edge/kube/write/bundle-config-map.ts";
import type { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import {
  addBundleMapGauges,
  BundleMapEvents,
} from "../../../../edge/telemetry/bundle-map-events.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import type { ServerMetrics } from "../../../../edge/telemetry/server-metrics.ts";
import type { BundleRoots } from "./bundle-map-write.ts";
import { BundleMaps } from "./bundle-maps.ts";
import type { BundleMapsState } from "./bundle-maps-options.ts";
import { KubeWatch, type WatchedCache } from "../watched-cache.ts";

export interface OpenBundleMapsOptions {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  /** Of the ConfigMaps. */
  readonly name: string;
  readonly namespaces: WatchedCache<KubeNamespace>;
  readonly trust: {
    readonly current: { readonly bundle: Pick<TrustBundle, "roots"> };
    onChange(listener: () => void): Disposable;
  };
  readonly log: Logger;
  readonly metrics: Pick<ServerMetrics, "registry">;
  /** In [0, 1) */
  readonly random: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export interface OpenedBundleMaps {
  readonly bundleMaps: () => BundleMapsState;
}

/** They are written until `owned` ends. */
export function openBundleMaps(
  options: OpenBundleMapsOptions,
  owned: AsyncDisposableStack,
): OpenedBundleMaps {
  const { connection, name, namespaces, trust, log, metrics, random, nowMs } = options;
  const events = new BundleMapEvents(log, metrics.registry);
  let roots = rootsOf(trust.current.bundle);
  let isUnseen = false;
  const maps = owned.use(
    new KubeWatch({
      connection,
      kind: mapsNamed(name),
      random,
      nowMs,
      onEvent: (event) => {
        if (event.kind === "listed") writer.lookAtAll();
        if (event.kind === "failed" && !isUnseen) events.unseen(event.error, event.retryMs);
        isUnseen = event.kind === "failed";
      },
    }),
  );
  const writer: BundleMaps = new BundleMaps({
    ...options,
    namespaces: namespaces.cache,
    maps: () => (maps.state().listedMs === undefined ? undefined : maps.cache),
    roots: () => roots,
    events,
  });
  // First to go: it writes by what the watch has seen.
  owned.use(writer);
  owned.use(maps.onChange((changes) => writer.mapsChanged(changes)));
  owned.use(namespaces.onChange((changes) => writer.namespacesChanged(changes)));
  owned.use(
    trust.onChange(() => {
      const next = rootsOf(trust.current.bundle);
      if (next.sha256 === roots.sha256) return;
      roots = next;
      writer.lookAtAll();
    }),
  );
  addBundleMapGauges(metrics.registry, () => writer.state());
  return { bundleMaps: () => writer.state() };
}

/** All that is trusted: between `prepare` and `retire` of a rotation the old root and the new one. */
function rootsOf({ roots }: Pick<TrustBundle, "roots">): BundleRoots {
  const pem = encodeCertificates(roots);
  return { pem, sha256: textSha256(pem) };
}
