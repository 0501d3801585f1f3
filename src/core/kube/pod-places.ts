/** Which pods are on which node, and as whom they run there: what a node's proxy may ask certificates for. */

import { nameKey } from "../resources/resource.ts";
import { mayRun, type Pod } from "./pod.ts";
import type { ObjectChange } from "./object-cache.ts";

export class PodPlaces {
  /** By node, then by service account. */
  readonly #nodes = new Map<string, Map<string, Set<Pod>>>();

  take(changes: Iterable<ObjectChange<Pod>>): void {
    for (const { before, after } of changes) {
      if (before !== undefined) this.#remove(before);
      if (after !== undefined) this.#add(after);
    }
  }

  /** Whether a pod of the account is on the node, and may still run. */
  runsOn(node: string, namespace: string, serviceAccount: string, nowMs: number): boolean {
    const pods = this.#nodes.get(node)?.get(nameKey({ namespace, name: serviceAccount })) ?? [];
    for (const pod of pods) if (mayRun(pod, nowMs)) return true;
    return false;
  }

  #add(pod: Pod): void {
    if (pod.nodeName === "") return;
    const accounts = this.#nodes.get(pod.nodeName) ?? new Map<string, Set<Pod>>();
    const key = accountOf(pod);
    const pods = accounts.get(key) ?? new Set();
    this.#nodes.set(pod.nodeName, accounts.set(key, pods.add(pod)));
  }

  #remove(pod: Pod): void {
    const accounts = this.#nodes.get(pod.nodeName);
    const key = accountOf(pod);
    const pods = accounts?.get(key);
    pods?.delete(pod);
    if (pods?.size === 0) accounts?.delete(key);
    if (accounts?.size === 0) this.#nodes.delete(pod.nodeName);
  }
}

function accountOf({ namespace, serviceAccount }: Pod): string {
  return nameKey({ namespace, name: serviceAccount });
}
