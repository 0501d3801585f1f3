/** The ConfigMaps with the roots as anybody sees them: by a watch of one's own. */

import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, Watch, type V1ConfigMap } from "@kubernetes/client-node";
import type { Cluster } from "../../test/kube/cluster.ts";

const name = "istio-ca-root-cert";
/** Where nobody keeps one, as Istio does not. */
const ignored: ReadonlySet<string> = new Set(["kube-public", "kube-node-lease"]);
const timeoutMs = 120_000;
const lookMs = 20;

export class SeenMaps implements Disposable {
  /** By namespace: how many roots. */
  readonly #roots = new Map<string, number>();
  readonly #namespaces: number;
  readonly #closed = new AbortController();
  #lastMs = 0;

  static async open(cluster: Cluster): Promise<SeenMaps> {
    const config = cluster.kubeConfig();
    const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
    const seen = new SeenMaps(
      items.filter(({ metadata }) => !ignored.has(metadata?.name ?? "")).length,
    );
    const watching = await new Watch(config).watch(
      "/api/v1/configmaps",
      { fieldSelector: `metadata.name=${name}` },
      (_, map: V1ConfigMap) => seen.#take(map),
      () => {},
    );
    seen.#closed.signal.addEventListener("abort", () => watching.abort());
    return seen;
  }

  private constructor(namespaces: number) {
    this.#namespaces = namespaces;
  }

  get namespaces(): number {
    return this.#namespaces;
  }

  /** @returns when the last of them was seen to have so many roots, by `performance.now()` */
  async all(roots: number): Promise<number> {
    for (const endMs = performance.now() + timeoutMs; performance.now() < endMs;) {
      const current = [...this.#roots.values()].filter((each) => each === roots);
      if (current.length >= this.#namespaces) return this.#lastMs;
      await sleep(lookMs);
    }
    throw new Error(`not all of ${this.#namespaces} ConfigMaps have ${roots} roots in time`);
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
  }

  #take({ metadata, data }: V1ConfigMap): void {
    const pem = data?.["root-cert.pem"] ?? "";
    this.#roots.set(metadata?.namespace ?? "", pem.split("BEGIN CERTIFICATE").length - 1);
    this.#lastMs = performance.now();
  }
}
