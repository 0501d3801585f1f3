/** A watch without an API server: tests say what it tells. */

import type { KubeObject } from "../../src/core/kube/kube-object.ts";
import { ObjectCache, type ObjectChange } from "../../src/core/kube/object-cache.ts";
import type { ReflectorState } from "../../src/edge/kube/watch/reflector-options.ts";

type Listener<T> = (changes: readonly ObjectChange<T>[]) => void;

export class FakeWatch<T extends KubeObject> {
  readonly cache: ObjectCache<T> = new ObjectCache();
  readonly #listeners = new Set<Listener<T>>();
  #state: ReflectorState = {
    listedMs: undefined,
    heardMs: undefined,
    openedMs: undefined,
    isAbsent: false,
    failure: undefined,
    unreadable: 0,
  };

  onChange(listener: Listener<T>): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  state(): ReflectorState {
    return this.#state;
  }

  is(changes: Partial<ReflectorState>): void {
    this.#state = { ...this.#state, ...changes };
  }

  /** All that there is. */
  list(...objects: readonly T[]): void {
    const changes = this.cache.replace(objects);
    this.is({ listedMs: 1, isAbsent: false });
    this.#tell(changes);
  }

  set(...objects: readonly T[]): void {
    this.#tell(objects.flatMap((each) => this.cache.set(each)));
  }

  delete(...objects: readonly Pick<T, "namespace" | "name">[]): void {
    this.#tell(objects.flatMap((each) => this.cache.delete(each)));
  }

  #tell(changes: readonly ObjectChange<T>[]): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
  }
}
