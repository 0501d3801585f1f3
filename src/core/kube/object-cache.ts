/**
 * The objects of one kind as a watch tells of them, and what each of its messages changes. A list that comes later is one message: what
 * it does not have is gone, and what is as it was is no change. UIDs of what is gone are remembered for a while: an API server may say
 * of one for some seconds that it is there (its cache of token reviews).
 */

import { sameValue } from "../policy/same-value.ts";
import { nameKey } from "../resources/resource.ts";
import type { KubeObject } from "./kube-object.ts";

/** At least one of the two; with both it is the same object, by UID. */
export interface ObjectChange<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** At 100 pods that end each second, 160 s. */
const removedMax = 16_384;

export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  /** In the order in which they went. */
  readonly #removed = new Set<string>();
  readonly #removedMax: number;

  /** @param max of the UIDs that are remembered */
  constructor(max: number = removedMax) {
    this.#removedMax = max;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** @param namespace "" for what is of the whole cluster */
  find(namespace: string, name: string): T | undefined {
    return this.#objects.get(nameKey({ namespace, name }));
  }

  values(): Iterable<T> {
    return this.#objects.values();
  }

  /** Whether it was here and went, not long ago. */
  wasRemoved(uid: string): boolean {
    return this.#removed.has(uid);
  }

  /** What is equal is no change. */
  set(object: T): readonly ObjectChange<T>[] {
    const key = nameKey(object);
    const before = this.#objects.get(key);
    if (before !== undefined && sameValue(before, object)) return [];
    this.#objects.set(key, object);
    if (before === undefined || before.uid === object.uid) return [{ before, after: object }];
    this.#bury(before);
    return [
      { before, after: undefined },
      { before: undefined, after: object },
    ];
  }

  delete({ namespace, name }: Pick<T, "namespace" | "name">): readonly ObjectChange<T>[] {
    const key = nameKey({ namespace, name });
    const before = this.#objects.get(key);
    if (before === undefined) return [];
    this.#objects.delete(key);
    this.#bury(before);
    return [{ before, after: undefined }];
  }

  /**
   * All that there is now. What goes comes first, so that nobody sees two under one address.
   * @param kept keys of those that are there and could not be read: the last that is known of them stays
   */
  replace(
    objects: readonly T[],
    kept: ReadonlySet<string> = new Set(),
  ): readonly ObjectChange<T>[] {
    const keys = new Set(objects.map(nameKey));
    const gone = Array.from(this.#objects).filter(([key]) => !keys.has(key) && !kept.has(key));
    const removed = gone.flatMap(([, object]) => this.delete(object));
    return [...removed, ...objects.flatMap((object) => this.set(object))];
  }

  #bury({ uid }: T): void {
    this.#removed.add(uid);
    for (const oldest of this.#removed) {
      if (this.#removed.size <= this.#removedMax) return;
      this.#removed.delete(oldest);
    }
  }
}
