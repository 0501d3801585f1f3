/**
 * The one configuration of a server: the objects of its cluster, of its directory, and those that operators have applied; and what stands
 * for the cluster's pods and services, which is not recorded. Of several of one name one holds, and a problem says so. Whoever listens is
 * told of differences only.
 */

import type { PolicyObject } from "../../../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { ManifestProblem } from "../../../../edge/resources/manifest.ts";
import type { ResourceLayer } from "../../../../edge/store/resources.ts";
import { hiddenBy } from "./hidden-objects.ts";
import { keyOf, type StoredObject } from "./stored-object.ts";

/** Of the objects that hold. */
export interface ResourceSetChange {
  readonly set: readonly PolicyObject[];
  readonly deleted: readonly ResourceRef[];
}

/** To one layer. */
export interface LayerChange {
  readonly layer: ResourceLayer;
  readonly put: readonly StoredObject[];
  /** Keys. */
  readonly remove: readonly string[];
}

export type StoredByKey = ReadonlyMap<string, StoredObject>;

/** Whose problems are told of. */
type ReadLayer = Exclude<ResourceLayer, "applied">;

/**
 * Of one name the first holds. In a cluster its API server is the source: what kubectl, the API server's RBAC and the guard say of an
 * object must be what is in force, whatever a file says.
 */
const precedence: readonly ResourceLayer[] = ["cluster", "directory", "applied"];

export class ResourceSet {
  readonly #layers: Record<ResourceLayer, Map<string, StoredObject>>;
  readonly #derived = new Map<string, StoredObject>();
  readonly #listeners = new Set<(change: ResourceSetChange) => void>();
  #sequence: number;
  #version = 0;
  readonly #problems: Record<ReadLayer, readonly ManifestProblem[]> = {
    directory: [],
    cluster: [],
  };

  constructor(sequence: number, layers: Readonly<Record<ResourceLayer, readonly StoredObject[]>>) {
    this.#sequence = sequence;
    const { directory, applied, cluster } = layers;
    this.#layers = {
      directory: byKey(directory),
      applied: byKey(applied),
      cluster: byKey(cluster),
    };
  }

  /** Rises with each change of what is recorded. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Of this life: rises with each change of anything. */
  get version(): number {
    return this.#version;
  }

  /** Those that hold, in no order that means anything. */
  objects(): readonly StoredObject[] {
    const all = this.written();
    for (const [key, each] of this.#derived) if (this.#written(key) === undefined) all.push(each);
    return all;
  }

  /** Those that somebody has written. */
  written(): StoredObject[] {
    return precedence.flatMap((layer) =>
      [...this.#layers[layer]].flatMap(([key, each]) =>
        this.#written(key) === each ? [each] : [],
      ),
    );
  }

  /** The one that holds. */
  find(key: string): StoredObject | undefined {
    return this.#written(key) ?? this.#derived.get(key);
  }

  /** The one that would hold if this layer had none of its name. */
  findWithout(layer: ResourceLayer, key: string): StoredObject | undefined {
    const others = precedence.filter((each) => each !== layer);
    const found = others.map((each) => this.#layers[each].get(key));
    return found.find((each) => each !== undefined) ?? this.#derived.get(key);
  }

  layer(layer: ResourceLayer): StoredByKey {
    return this.#layers[layer];
  }

  /** Of what is read, and of what does not count because another of its name does. */
  get problems(): readonly ManifestProblem[] {
    const hidden = precedence.flatMap((layer) =>
      [...this.#layers[layer]].flatMap(([key, each]) => {
        const holds = this.#written(key);
        if (holds !== undefined && holds !== each) return [hiddenBy(each, holds)];
        const derived = this.#derived.get(key);
        return derived === undefined ? [] : [hiddenBy(derived, each)];
      }),
    );
    return [...this.#problems.cluster, ...this.#problems.directory, ...hidden];
  }

  layerHas(layer: ReadLayer, problems: readonly ManifestProblem[]): void {
    this.#problems[layer] = problems;
  }

  /** After each change, once it is in force; until it is disposed. */
  onChange(listener: (change: ResourceSetChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Those of the layers that would hold after it. */
  preview({ layer, put, remove }: LayerChange): StoredByKey {
    const next = { ...this.#layers, [layer]: new Map(this.#layers[layer]) };
    for (const key of remove) next[layer].delete(key);
    for (const each of put) next[layer].set(keyOf(each), each);
    return new Map(precedence.toReversed().flatMap((each) => [...next[each]]));
  }

  /** @param sequence of the configuration then */
  change({ layer, put, remove }: LayerChange, sequence: number): void {
    this.#sequence = sequence;
    this.#change(this.#layers[layer], put, remove);
  }

  /** What stands for the cluster's own objects: it is in force as soon as it is known, and counts where nobody has written another. */
  derive(put: readonly StoredObject[], remove: readonly string[]): void {
    this.#change(this.#derived, put, remove);
  }

  #written(key: string): StoredObject | undefined {
    const { cluster, directory, applied } = this.#layers;
    return cluster.get(key) ?? directory.get(key) ?? applied.get(key);
  }

  #change(
    changed: Map<string, StoredObject>,
    put: readonly StoredObject[],
    remove: readonly string[],
  ): void {
    const touched = new Set([...remove, ...put.map(keyOf)]);
    const before = new Map([...touched].map((key) => [key, this.find(key)]));
    for (const key of remove) changed.delete(key);
    for (const each of put) changed.set(keyOf(each), each);
    const set: PolicyObject[] = [];
    const deleted: ResourceRef[] = [];
    for (const [key, old] of before) {
      const now = this.find(key);
      if (now === undefined && old !== undefined) deleted.push(old.object.object.ref);
      if (now !== undefined && !isSame(now, old)) set.push(now.object);
    }
    if (set.length + deleted.length === 0) return;
    this.#version++;
    for (const listener of this.#listeners) listener({ set, deleted });
  }
}

/** What is put together has no text to compare. */
function isSame(now: StoredObject, old: StoredObject | undefined): boolean {
  if (now === old) return true;
  return old !== undefined && now.digest !== "" && now.digest === old.digest;
}

function byKey(objects: readonly StoredObject[]): Map<string, StoredObject> {
  return new Map(objects.map((each) => [keyOf(each), each]));
}
