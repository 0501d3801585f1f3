/**
 * Who waits for the watch to tell of something: a new pod's token may be quicker than it. Each waits for its own, so that a cluster in
 * which much happens costs those nothing who wait for something else.
 */

import type { ObjectChange } from "../../../core/kube/object-cache.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { Pod } from "../../../core/kube/pod.ts";

/** A waiting caller costs a timer and a promise. */
const waitingMax = 4_096;

export class Arrivals {
  readonly #waiting = new Map<string, Set<() => void>>();
  #size = 0;

  /**
   * Never rejects.
   * @param key a UID, or `placeKey`
   * @returns false where it was not waited for: the time is over, or too many wait
   */
  async next(key: string, ms: number): Promise<boolean> {
    if (ms <= 0 || this.#size >= waitingMax) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), ms);
    const wake = (): void => resolve(true);
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(wake));
    this.#size++;
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#size--;
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
    }
  }

  take(changes: readonly ObjectChange<KubeObject>[]): void {
    if (this.#size === 0) return;
    for (const { before, after } of changes) this.#wake((after ?? before)?.uid);
  }

  takePods(changes: readonly ObjectChange<Pod>[]): void {
    if (this.#size === 0) return;
    this.take(changes);
    for (const { after } of changes) if (after !== undefined) this.#wake(placeKey(after));
  }

  #wake(key: string | undefined): void {
    if (key === undefined) return;
    for (const wake of this.#waiting.get(key) ?? []) wake();
  }
}

/** Of the pods of an account on a node; no UID has spaces. */
export function placeKey({
  nodeName,
  namespace,
  serviceAccount,
}: Pick<Pod, "nodeName" | "namespace" | "serviceAccount">): string {
  return `${nodeName} ${namespace} ${serviceAccount}`;
}
