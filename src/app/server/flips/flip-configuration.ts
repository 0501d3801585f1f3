/** The configuration as flips ask for it: of a namespace, or whole, made when it is asked for and kept until it changes. */

import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import { namespaceView } from "../../../core/flip/view-with.ts";
import { objectsByKind } from "../../../core/policy/mesh-of.ts";
import { MeshView } from "../../../core/policy/mesh-view.ts";
import { defaultMeshConfig } from "../../../core/resources/mesh-config.ts";
import { refKey, type PolicyObject } from "../../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import type { ResourceSet, ResourceSetChange } from "../policy/resources/resource-set.ts";
import type { StoredObject } from "../policy/resources/stored-object.ts";

/** Whether what a namespace's ports take, or who is there, may be another. */
export type IsConcerned = (namespace: string) => boolean;

export class FlipConfiguration implements Disposable {
  readonly #set: ResourceSet;
  readonly #trustDomain: string;
  readonly #following: Disposable;
  readonly #listeners = new Set<(isConcerned: IsConcerned) => void>();
  readonly #views = new Map<string, MeshView>();
  #whole: MeshView | undefined;
  #all: readonly PolicyObject[] | undefined;
  #root: string;

  constructor(set: ResourceSet, trustDomain: string) {
    this.#set = set;
    this.#trustDomain = trustDomain;
    this.#root = rootOf(set);
    this.#following = set.onChange((change) => this.#changed(change));
  }

  /** After each change, until it is disposed. */
  onChange(listener: (isConcerned: IsConcerned) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Of the whole, and of whoever is there: rises with each change. */
  get sequence(): number {
    return this.#set.version;
  }

  /** Of what somebody has written: rises with each change. */
  get writtenSequence(): number {
    return this.#set.sequence;
  }

  viewOf(namespace: string): MeshView {
    const known = this.#views.get(namespace);
    if (known !== undefined) return known;
    const view = namespaceView(this.#objects(), namespace, this.#trustDomain);
    this.#views.set(namespace, view);
    return view;
  }

  whole(): MeshView {
    this.#whole ??= new MeshView(this.#objects(), this.#trustDomain);
    return this.#whole;
  }

  /** With something else in the place of an object; undefined: without it. */
  wholeWith(ref: ResourceRef, other: PolicyObject | undefined): MeshView {
    const key = refKey(ref);
    const rest = this.#objects().filter(({ object }) => refKey(object.ref) !== key);
    return new MeshView(other === undefined ? rest : [...rest, other], this.#trustDomain);
  }

  find(ref: ResourceRef): StoredObject | undefined {
    return this.#set.find(refKey(ref));
  }

  /** The one that would hold if the cluster had none of its name. */
  findBelowCluster(ref: ResourceRef): StoredObject | undefined {
    return this.#set.findWithout("cluster", refKey(ref));
  }

  manifestOf(ref: ResourceRef): JsonObject | undefined {
    const found = this.find(ref);
    const manifest: unknown = found && JSON.parse(found.json);
    return isJsonObject(manifest) ? manifest : undefined;
  }

  entryOf(namespace: string, name: string): WorkloadEntry | undefined {
    const found = this.find({ kind: "WorkloadEntry", namespace, name })?.object;
    return found?.kind === "WorkloadEntry" ? found.object : undefined;
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
  }

  #objects(): readonly PolicyObject[] {
    this.#all ??= this.#set.objects().map(({ object }) => object);
    return this.#all;
  }

  #changed({ set, deleted }: ResourceSetChange): void {
    const refs = [...set.map(({ object }) => object.ref), ...deleted];
    // Of the root namespace's own workloads there are many changes, and they are nobody else's.
    const isOwn = new Set<ResourceRef["kind"]>(["WorkloadEntry", "ServiceEntry"]);
    const isWide = refs.some(
      ({ kind, namespace }) =>
        kind === "MeshConfig" || (namespace === this.#root && !isOwn.has(kind)),
    );
    if (isWide) this.#root = rootOf(this.#set);
    const namespaces = new Set(refs.map(({ namespace }) => namespace));
    const isConcerned: IsConcerned = (namespace) => isWide || namespaces.has(namespace);
    for (const namespace of this.#views.keys()) {
      if (isConcerned(namespace)) this.#views.delete(namespace);
    }
    this.#whole = undefined;
    this.#all = undefined;
    for (const listener of this.#listeners) listener(isConcerned);
  }
}

function rootOf(set: ResourceSet): string {
  const objects = set.objects().map(({ object }) => object);
  const [config] = objectsByKind(objects.filter(({ kind }) => kind === "MeshConfig")).configs;
  return (config?.config ?? defaultMeshConfig).rootNamespace;
}
