/** Which pods are on which node, and as whom they run there: what a node's proxy may ask certificates for. */

import { MultiMap } from "../policy/multi-map.ts";
import { mayRun, type Pod } from "./pod.ts";
import type { ObjectChange } from "./object-cache.ts";

export class PodPlaces {
  /** By node and service account. */
  readonly #pods = new MultiMap<string, Pod>();

  take(changes: Iterable<ObjectChange<Pod>>): void {
    for (const { before, after } of changes) {
      if (before !== undefined) this.#pods.delete(placeOf(before), before);
      if (after !== undefined && after.nodeName !== "") this.#pods.add(placeOf(after), after);
    }
  }

  /** Whether a pod of the account is on the node, and may still run. */
  runsOn(node: string, namespace: string, serviceAccount: string, nowMs: number): boolean {
    for (const pod of this.#pods.of(keyOf(node, namespace, serviceAccount))) {
      if (mayRun(pod, nowMs)) return true;
    }
    return false;
  }
}

function placeOf({ nodeName, namespace, serviceAccount }: Pod): string {
  return keyOf(nodeName, namespace, serviceAccount);
}

/** No name of Kubernetes has a slash. */
function keyOf(node: string, namespace: string, serviceAccount: string): string {
  return `${node}/${namespace}/${serviceAccount}`;
}
