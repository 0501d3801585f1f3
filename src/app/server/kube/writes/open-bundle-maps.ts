/** The ConfigMaps with the roots, begun: one watch of that one name in all namespaces, and the trust that they are to say. */

import { encodeCertificates } from "../../../../core/x509/pem.ts";
import type { TrustBundle } from "../../../../core/spiffe/trust-bundle.ts";
import type { RootMaps } from "../../../../core/roll/root-maps.ts";
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
  readonly mayWrite: () => boolean;
  readonly log: Logger;
  readonly metrics: Pick<ServerMetrics, "registry">;
  /** In [0, 1) */
  readonly random: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export interface OpenedBundleMaps {
  readonly bundleMaps: () => BundleMapsState;
  /** For the gates of a rotation. */
  readonly rootMaps: () => RootMaps;
}

/** They are written until `owned` ends. */
export function openBundleMaps(
  options: OpenBundleMapsOptions,
  owned: AsyncDisposableStack,
): OpenedBundleMaps {
  const { connection, name, namespaces, trust, log, metrics, random, nowMs } = options;
  const events = new BundleMapEvents(log, metrics.registry);
  let known = knownRoots(trust.current.bundle);
  // Whoever asks before it is told of a change compares with the roots of now, too.
  const current = (): KnownRoots => {
    const { bundle } = trust.current;
    if (bundle !== known.bundle) known = knownRoots(bundle);
    return known;
  };
  let writtenSha256 = known.roots.sha256;
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
    roots: () => current().roots,
    events,
  });
  // First to go: it writes by what the watch has seen.
  owned.use(writer);
  owned.use(maps.onChange((changes) => writer.mapsChanged(changes)));
  owned.use(namespaces.onChange((changes) => writer.namespacesChanged(changes)));
  owned.use(
    trust.onChange(() => {
      const { sha256 } = current().roots;
      if (sha256 === writtenSha256) return;
      writtenSha256 = sha256;
      writer.lookAtAll();
    }),
  );
  addBundleMapGauges(metrics.registry, () => writer.state());
  const rootMaps = (): RootMaps => {
    const { listedMs, failure } = namespaces.state();
    const seen = listedMs === undefined ? undefined : writer.rootMaps();
    return seen ?? { kind: "unlisted", failure: (maps.state().failure ?? failure)?.message ?? "" };
  };
  return { bundleMaps: () => writer.state(), rootMaps };
}

interface KnownRoots {
  readonly bundle: Pick<TrustBundle, "roots">;
  readonly roots: BundleRoots;
}

/** All that is trusted: between `prepare` and `retire` of a rotation the old root and the new one. */
function knownRoots(bundle: KnownRoots["bundle"]): KnownRoots {
  const pem = encodeCertificates(bundle.roots);
  return { bundle, roots: { pem, sha256: textSha256(pem) } };
}
