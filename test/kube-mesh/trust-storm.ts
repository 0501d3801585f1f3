/** Hands in a cluster that never rest: what a server keeps there is written by others all the time, damaged, deleted. */

import { setTimeout as sleep } from "node:timers/promises";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import type { Cluster } from "../kube/cluster.ts";

export interface TrustStormOptions {
  readonly cluster: Cluster;
  /** NAMESPACE/NAME of the Secret and of the Lease. */
  readonly namespace: string;
  readonly name: string;
  /** Whose bundle ConfigMaps are deleted. */
  readonly namespaces: readonly string[];
}

export type StormDeed = "touched" | "damaged" | "deleted" | "map deleted";

const touchEveryMs = 5;
const damageEveryMs = 4_000;
const deleteEveryMs = 9_000;
const mapsEveryMs = 1_000;

export class TrustStorm implements AsyncDisposable {
  readonly counts: Record<StormDeed, number> = {
    touched: 0,
    damaged: 0,
    deleted: 0,
    "map deleted": 0,
  };
  readonly #connection: KubeConnection;
  readonly #ends = new AbortController();
  readonly #running: Promise<unknown>;

  static async begin(options: TrustStormOptions): Promise<TrustStorm> {
    const access = await kubeconfigAccess({ path: options.cluster.adminKubeconfig });
    return new TrustStorm(new KubeConnection({ access }), options);
  }

  private constructor(
    connection: KubeConnection,
    { namespace, name, namespaces }: TrustStormOptions,
  ) {
    this.#connection = connection;
    const secret = `/api/v1/namespaces/${namespace}/secrets/${name}`;
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    const garbage = Buffer.from("{").toString("base64");
    const touch = (): object => ({ metadata: { annotations: { touched: `${Math.random()}` } } });
    this.#running = Promise.all([
      this.#often(touchEveryMs, "touched", () => this.#patch(secret, touch())),
      this.#often(touchEveryMs * 10, "touched", () => this.#patch(lease, touch())),
      this.#often(damageEveryMs, "damaged", () =>
        this.#patch(secret, { data: { "trust.json": garbage } }),
      ),
      this.#often(deleteEveryMs, "deleted", () => this.#delete(secret)),
      ...namespaces.map((each) =>
        this.#often(mapsEveryMs, "map deleted", () =>
          this.#delete(`/api/v1/namespaces/${each}/configmaps/istio-ca-root-cert`),
        ),
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort();
    await this.#running;
    this.#connection[Symbol.dispose]();
  }

  async #often(everyMs: number, deed: StormDeed, act: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#ends;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      try {
        await act();
        this.counts[deed]++;
      } catch (error) {
        // It is not there at the moment.
        if (!(error instanceof KubeError) || error.code !== "kube-not-found") throw error;
      }
    }
  }

  async #patch(path: string, body: object): Promise<void> {
    const contentType = "application/merge-patch+json";
    await this.#connection.send({ method: "PATCH", path, body, contentType });
  }

  async #delete(path: string): Promise<void> {
    await this.#connection.send({ method: "DELETE", path });
  }
}
