/**
 * The one configuration of a server: the objects of its directory, and those that operators have applied. Where both have one, the
 * directory's holds, and a problem says so. Whoever listens is told of differences only.
 */

import type { PolicyObject } from "../../../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { ManifestProblem } from "../../../../edge/resources/manifest.ts";
import type { ResourceLayer } from "../../../../edge/store/resources.ts";
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

export class ResourceSet {
  readonly #layers: Record<ResourceLayer, Map<string, StoredObject>>;
  readonly #listeners = new Set<(change: ResourceSetChange) => void>();
  #sequence: number;
  #directoryProblems: readonly ManifestProblem[] = [];

  constructor(sequence: number, layers: Readonly<Record<ResourceLayer, readonly StoredObject[]>>) {
    this.#sequence = sequence;
    const byKey = (objects: readonly StoredObject[]): Map<string, StoredObject> =>
      new Map(objects.map((each) => [keyOf(each), each]));
    this.#layers = { directory: byKey(layers.directory), applied: byKey(layers.applied) };
  }

  /** Rises with each change. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Those that hold, in no order that means anything. */
  objects(): readonly StoredObject[] {
    const { directory, applied } = this.#layers;
    return [
      ...directory.values(),
      ...[...applied].flatMap(([key, each]) => (directory.has(key) ? [] : [each])),
    ];
  }

  /** The one that holds. */
  find(key: string): StoredObject | undefined {
    return this.#layers.directory.get(key) ?? this.#layers.applied.get(key);
  }

  layer(layer: ResourceLayer): StoredByKey {
    return this.#layers[layer];
  }

  /** Of the directory's files, and of what was applied in vain. */
  get problems(): readonly ManifestProblem[] {
    const { directory, applied } = this.#layers;
    const hidden = [...applied].flatMap(([key, { object }]) => {
      const holds = directory.get(key);
      return holds === undefined ? [] : [hiddenFinding(object.object.ref, holds.origin)];
    });
    return [...this.#directoryProblems, ...hidden];
  }

  directoryHas(problems: readonly ManifestProblem[]): void {
    this.#directoryProblems = problems;
  }

  /** After each change, once it is in force; until it is disposed. */
  onChange(listener: (change: ResourceSetChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Those that would hold after it. */
  preview({ layer, put, remove }: LayerChange): StoredByKey {
    const next = { ...this.#layers, [layer]: new Map(this.#layers[layer]) };
    for (const key of remove) next[layer].delete(key);
    for (const each of put) next[layer].set(keyOf(each), each);
    return new Map([...next.applied, ...next.directory]);
  }

  /** @param sequence of the configuration then */
  change({ layer, put, remove }: LayerChange, sequence: number): void {
    const changed = this.#layers[layer];
    const touched = new Set([...remove, ...put.map(keyOf)]);
    const before = new Map([...touched].map((key) => [key, this.find(key)]));
    for (const key of remove) changed.delete(key);
    for (const each of put) changed.set(keyOf(each), each);
    this.#sequence = sequence;
    const set: PolicyObject[] = [];
    const deleted: ResourceRef[] = [];
    for (const [key, old] of before) {
      const now = this.find(key);
      if (now !== undefined && now.json !== old?.json) set.push(now.object);
      if (now === undefined && old !== undefined) deleted.push(old.object.object.ref);
    }
    if (set.length + deleted.length === 0) return;
    for (const listener of this.#listeners) listener({ set, deleted });
  }
}

function hiddenFinding(ref: ResourceRef, holdsAt: string): ManifestProblem {
  const { kind, namespace, name } = ref;
  return {
    severity: "warning",
    code: "applied-hidden",
    ref,
    path: "",
    text: `the one of ${holdsAt} holds: another was applied, and does not count`,
    hint: `portcullis delete ${kind} ${name} -n ${namespace}, or take it out of ${holdsAt}`,
    origin: "",
  };
}
