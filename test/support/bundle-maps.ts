/** The ConfigMaps with the roots, kept by the real code in a test's cluster, with a trust of the test's own. */

import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, type V1ConfigMap } from "@kubernetes/client-node";
import { Registry } from "prom-client";
import type { RateLimit } from "../../src/core/issuance/rate-bucket.ts";
import type { RootMaps } from "../../src/core/roll/root-maps.ts";
import { encodeCertificates } from "../../src/core/x509/pem.ts";
import {
  openBundleMaps,
  type OpenedBundleMaps,
} from "../../src/app/server/kube/writes/open-bundle-maps.ts";
import type { BundleMapsState } from "../../src/app/server/kube/writes/bundle-maps-options.ts";
import { KubeWatch } from "../../src/app/server/kube/watched-cache.ts";
import type { KubeAccess } from "../../src/edge/kube/kube-access.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { namespaces } from "../../src/edge/kube/read/read-identities.ts";
import { WritePace, writeLimitDefault } from "../../src/edge/kube/write/write-pace.ts";
import type { Cluster } from "../kube/cluster.ts";
import { logRecorder } from "./log-recorder.ts";

export const mapName = "istio-ca-root-cert";
const timeoutMs = 30_000;

export class BundleMapsUnderTest implements AsyncDisposable {
  readonly events: readonly Readonly<Record<string, unknown>>[];
  readonly registry: Registry = new Registry();
  readonly pace: WritePace;
  readonly #owned = new AsyncDisposableStack();
  readonly #opened: OpenedBundleMaps;
  readonly #core: CoreV1Api;
  readonly #listeners = new Set<() => void>();
  #roots: readonly Uint8Array[];

  /** @param access of whoever writes */
  constructor(
    cluster: Cluster,
    access: KubeAccess,
    roots: readonly string[],
    limit: RateLimit = writeLimitDefault,
  ) {
    this.#roots = roots.map((each) => Buffer.from(each));
    this.#core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const nowMs = (): number => performance.now();
    const connection = this.#owned.use(new KubeConnection({ access }));
    const { log, events } = logRecorder();
    this.events = events;
    this.pace = new WritePace({ limit, nowMs });
    const random = (): number => 0;
    const watch = new KubeWatch({ connection, kind: namespaces, random, nowMs });
    this.#owned.use(watch);
    const bundle = (): { readonly roots: readonly Uint8Array[] } => ({ roots: this.#roots });
    this.#opened = openBundleMaps(
      {
        connection,
        pace: this.pace,
        name: mapName,
        namespaces: watch,
        trust: {
          get current() {
            return { bundle: bundle() };
          },
          onChange: (listener) => {
            this.#listeners.add(listener);
            return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
          },
        },
        mayWrite: () => true,
        log,
        metrics: this,
        random,
        nowMs,
      },
      this.#owned,
    );
  }

  get state(): BundleMapsState {
    return this.#opened.bundleMaps();
  }

  /** As the gates of a rotation see them. */
  rootMaps(): RootMaps {
    return this.#opened.rootMaps();
  }

  /** As a rotation does. */
  trust(...roots: readonly string[]): void {
    this.#roots = roots.map((each) => Buffer.from(each));
    for (const listener of this.#listeners) listener();
  }

  get pem(): string {
    return encodeCertificates(this.#roots);
  }

  async read(namespace: string): Promise<V1ConfigMap | undefined> {
    return await this.#core
      .readNamespacedConfigMap({ namespace, name: mapName })
      .catch((error: unknown) => notFound(error));
  }

  /** Until the API server has the present roots there. */
  async untilCurrent(namespace: string): Promise<void> {
    await until(async () => (await this.read(namespace))?.data?.["root-cert.pem"] === this.pem);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  while (!(await condition())) {
    deadline.throwIfAborted();
    await sleep(20);
  }
}

function notFound(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === 404) return undefined;
  throw error;
}
