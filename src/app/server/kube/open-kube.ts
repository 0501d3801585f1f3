/**
 * A server's cluster: its watches run from here on, and what decides who may call is known before anybody is let in. An API server that
 * goes away later takes nothing back; one that is away at the start is waited for, and not for ever.
 */

import { PodPlaces } from "../../../core/kube/pod-places.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { KubeConnection } from "../../../edge/kube/kube-connection.ts";
import { LivenessProbe } from "../../../edge/kube/liveness-probe.ts";
import { KubeEvents } from "../../../edge/telemetry/kube-events.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { unlessInterrupted } from "../signing/start-proof.ts";
import { Arrivals } from "./arrivals.ts";
import { Freshness } from "./freshness.ts";
import type { Kube, WatchReport } from "./kube.ts";
import { allListed, readKeys } from "./kube-first-look.ts";
import { beginWatches, type NamedWatch } from "./kube-watches.ts";
import { ownNamespace } from "./own-namespace.ts";

export interface OpenKubeOptions {
  readonly config: Pick<
    ServerConfig,
    "kubernetes" | "kubeNamespace" | "tokenCheck" | "kubeStalenessSeconds"
  >;
  readonly connection: KubeConnection;
  readonly log: Logger;
  /** Counts a suspension of the machine, too; from any origin. */
  readonly monotonicMs: () => number;
  /** Aborted when the server is told to end. */
  readonly signal: AbortSignal;
  /** @default 30000 */
  readonly waitMs?: number;
}

const waitDefaultMs = 30_000;
/** How tokens are checked is looked at also while nobody calls. */
const modeLookMs = 1_000;

/** @throws KubeError where the API server cannot be asked in time; StartError */
export async function openKube(
  options: OpenKubeOptions,
  owned: AsyncDisposableStack,
): Promise<Kube> {
  const { config, connection, log, monotonicMs: nowMs, signal } = options;
  const events = new KubeEvents(log);
  const probe = owned.use(
    new LivenessProbe({ connection, nowMs, onChange: (problem) => events.livenessIs(problem) }),
  );
  const watches = beginWatches(
    {
      connection,
      nowMs,
      aliveMs: () => probe.aliveMs,
      onEvent: (resource, event) => {
        if (event.kind === "failed") events.watchFailed(resource, event);
        if (event.kind === "watching") events.watching(resource);
      },
    },
    owned,
  );
  const { caches, all } = watches;
  const places = new PodPlaces();
  const arrivals = new Arrivals();
  caches.pods.onChange((changes) => {
    places.take(changes);
    arrivals.takePods(changes);
  });
  caches.accounts.onChange((changes) => arrivals.take(changes));
  const freshness = new Freshness({
    configured: config.tokenCheck,
    limitMs: config.kubeStalenessSeconds * 1_000,
    moments: () => [caches.accounts.state(), caches.pods.state()],
    aliveMs: () => probe.aliveMs,
    nowMs,
    onMode: (mode, staleMs) => events.modeIs(mode, staleMs),
  });
  const needed = all.filter(({ watch }) =>
    [caches.accounts, caches.pods, caches.namespaces].some((each) => each === watch),
  );
  const { waitMs = waitDefaultMs } = options;
  const endMs = performance.now() + waitMs;
  const keys = await unlessInterrupted(signal, readKeys({ ...options, endMs }));
  await unlessInterrupted(signal, allListed(needed, { signal, endMs, waitMs }));
  const looking = setInterval(() => void freshness.mode, modeLookMs).unref();
  owned.defer(() => clearInterval(looking));
  return {
    connection,
    namespace: await ownNamespace(config),
    caches,
    places,
    arrivals,
    mode: () => freshness.mode,
    staleMs: () => freshness.staleMs,
    isCurrent: () => freshness.isCurrent,
    watches: () => all.map((each) => reportOf(each, freshness)),
    liveness: () => probe.problem,
    keys,
    events,
  };
}

function reportOf({ resource, watch }: NamedWatch, freshness: Freshness): WatchReport {
  const state = watch.state();
  return {
    resource,
    objects: watch.cache.size,
    staleMs: freshness.ageOf(state),
    isAbsent: state.isAbsent,
    unreadable: state.unreadable,
    failure: state.failure,
  };
}
