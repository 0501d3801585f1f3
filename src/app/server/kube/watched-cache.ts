/** A watch of the cluster as others here see it: what is known, what changes, and how old that is. */

import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { ObjectCache, ObjectChange } from "../../../core/kube/object-cache.ts";
import { Reflector } from "../../../edge/kube/watch/reflector.ts";
import type {
  ReflectorOptions,
  ReflectorState,
} from "../../../edge/kube/watch/reflector-options.ts";

export interface WatchedCache<T extends KubeObject> {
  readonly cache: ObjectCache<T>;
  /** After each message of the watch that changes something; synchronous. It must not throw. */
  onChange(listener: (changes: readonly ObjectChange<T>[]) => void): Disposable;
  state(): ReflectorState;
}

export class KubeWatch<T extends KubeObject> implements WatchedCache<T>, AsyncDisposable {
  readonly #reflector: Reflector<T>;
  readonly #listeners = new Set<(changes: readonly ObjectChange<T>[]) => void>();

  /** Begins at once. */
  constructor(options: Omit<ReflectorOptions<T>, "onChanges">) {
    const onChanges = (changes: readonly ObjectChange<T>[]): void => {
      for (const listener of this.#listeners) listener(changes);
    };
    this.#reflector = new Reflector({ ...options, onChanges });
  }

  get cache(): ObjectCache<T> {
    return this.#reflector.cache;
  }

  onChange(listener: (changes: readonly ObjectChange<T>[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  state(): ReflectorState {
    return this.#reflector.state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reflector[Symbol.asyncDispose]();
  }
}
