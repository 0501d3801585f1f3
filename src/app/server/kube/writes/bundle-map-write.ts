/** One ConfigMap brought up to date by compare-and-swap: who comes between is read, and judged again. */

import { planMap, type BundleMap } from "../../../../core/kube/writes/bundle-map.ts";
import type { KubeNamespace } from "../../../../core/kube/namespace.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import {
  createBundleMap,
  findBundleMap,
  mendBundleMap,
} from "../../../../edge/kube/write/bundle-config-map.ts";
import type { WritePace } from "../../../../edge/kube/write/write-pace.ts";

export interface BundleRoots {
  readonly pem: string;
  readonly sha256: string;
}

export interface BundleMapWriting {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  /** Of the ConfigMaps. */
  readonly name: string;
  /** Asked before each write. */
  readonly mayWrite: () => boolean;
  readonly signal: AbortSignal;
}

export interface WrittenMap {
  /** Whether anything had to be written. */
  readonly isWritten: boolean;
  /** Whose word it was that was replaced; "" for nobody's. */
  readonly manager: string;
}

/** It may not be written now. */
type HeldBack = "held";

const roundsMax = 5;
/** Of somebody who came between, or of what the watch has not told yet. */
const passing: ReadonlySet<string> = new Set(["kube-conflict", "kube-not-found"]);

/**
 * @param seen what the watch knows of it
 * @throws KubeError `kube-conflict` where others come between five times; the reason of the signal
 */
export async function writeBundleMap(
  writing: BundleMapWriting,
  namespace: KubeNamespace,
  seen: BundleMap | undefined,
  roots: BundleRoots,
): Promise<WrittenMap | HeldBack> {
  const { connection, pace, name, mayWrite, signal } = writing;
  let map = seen;
  for (let round = 1; ; round++) {
    const change = planMap(namespace, map, roots.sha256);
    if (change === "none") return { isWritten: false, manager: "" };
    try {
      const isHeld = await pace.run(signal, async () => {
        if (!mayWrite()) return true;
        if (map !== undefined) await mendBundleMap(connection, map, roots.pem, { signal });
        else await createBundleMap(connection, namespace.name, name, roots.pem, { signal });
        return false;
      });
      if (isHeld) return "held";
      return { isWritten: true, manager: map?.manager ?? "" };
    } catch (error) {
      const isPassing = error instanceof KubeError && passing.has(error.code);
      // Without a map to be gone, what is not found is the namespace.
      const isGone = error instanceof KubeError && error.code === "kube-not-found" && !map;
      if (!isPassing || isGone || round === roundsMax) throw error;
    }
    map = await findBundleMap(connection, namespace.name, name, { signal });
  }
}
