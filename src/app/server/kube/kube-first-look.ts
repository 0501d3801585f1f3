/** The first look at a cluster: its keys and whole lists, waited for and not for ever. */

import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConnection } from "../../../edge/kube/kube-connection.ts";
import { KubeError } from "../../../edge/kube/kube-error.ts";
import { clusterKeys, type ClusterKeys } from "./who/cluster-keys.ts";
import type { NamedWatch } from "./kube-watches.ts";

export interface FirstLook {
  readonly signal: AbortSignal;
  /** By `performance.now()`. */
  readonly endMs: number;
  /** In the error's words. */
  readonly waitMs: number;
}

export interface KeysPlace {
  readonly connection: KubeConnection;
}

const lookMs = 20;
const retryMs = 500;

/** @throws KubeError what was met last, or what waiting does not mend */
export async function readKeys({
  connection,
  signal,
  endMs,
}: Omit<FirstLook, "waitMs"> & KeysPlace): Promise<ClusterKeys> {
  for (;;) {
    try {
      return await clusterKeys(connection, signal);
    } catch (error) {
      // A pod's files are there before it starts.
      if (isConfig(error) || performance.now() >= endMs || signal.aborted) throw atStart(error);
    }
    await sleep(retryMs, undefined, { signal });
  }
}

/** @throws KubeError with what the first of them has met */
export async function allListed(
  needed: readonly NamedWatch[],
  { signal, endMs, waitMs }: FirstLook,
): Promise<void> {
  for (;;) {
    const missing = needed.find(({ watch }) => watch.state().listedMs === undefined);
    if (missing === undefined) return;
    if (performance.now() >= endMs) {
      const { failure } = missing.watch.state();
      const silence = `expected a list of ${missing.resource} within ${waitMs / 1_000} s, got none`;
      throw failure === undefined ? new KubeError("kube-unreachable", silence) : atStart(failure);
    }
    await sleep(lookMs, undefined, { signal });
  }
}

function isConfig(error: unknown): boolean {
  return error instanceof KubeError && error.code === "kube-config";
}

function atStart(error: unknown): unknown {
  if (!(error instanceof KubeError) || isConfig(error)) return error;
  const hint = error.hint ?? "is the API server there, and may it be reached from here?";
  return new KubeError(error.code, error.message, { cause: error, hint });
}
