/** What is known of each kind of policy that the cluster may have: told apart so that what is not known is never taken for nothing. */

import type { ResourceKind, ResourceName } from "../../../../core/resources/resource.ts";
import type { DefinitionState } from "../../../../edge/kube/read/read-definition.ts";
import type { WatchedManifest } from "../../../../edge/kube/read/read-policy-objects.ts";
import type { SeenKind } from "../../policy/resources/cluster-state.ts";
import type { StoredByKey } from "../../policy/resources/resource-set.ts";
import type { WatchedCache } from "../watched-cache.ts";

export interface WatchedPolicies extends Pick<
  WatchedCache<WatchedManifest>,
  "cache" | "onChange" | "state"
> {
  readonly kind: ResourceKind;
  /** @throws KubeError; the reason of the signal */
  readonly definition: (signal: AbortSignal) => Promise<DefinitionState>;
}

/** Of kinds of which objects are gone: whether they went with their kind. */
export type Definitions = ReadonlyMap<ResourceKind, DefinitionState>;

/**
 * Where it may not be known whether a kind is being taken away, and the last of its objects has gone: the API server looks each 5 s
 * whether a definition has no objects any more, and then it is known.
 */
const emptiedMs = 12_000;

export class ClusterKinds {
  readonly #all: readonly WatchedPolicies[];
  readonly #nowMs: () => number;
  /** Since when there is none of a kind, of which there were some. */
  readonly #emptySinceMs = new Map<ResourceKind, number>();

  /** @param nowMs monotonic */
  constructor(all: readonly WatchedPolicies[], nowMs: () => number) {
    this.#all = all;
    this.#nowMs = nowMs;
  }

  /** Of the kinds of which the cluster has not all that is in force. */
  thinned(layer: StoredByKey): readonly WatchedPolicies[] {
    const known = namesIn(layer);
    return this.#all.filter(({ kind, cache, state }) => {
      const { listedMs, isAbsent } = state();
      if (isAbsent || listedMs === undefined) return false;
      return (known.get(kind) ?? []).some(
        ({ namespace, name }) => cache.find(namespace, name) === undefined,
      );
    });
  }

  /** @param definitions of those that are thinned; where it is not among them, nothing of a kind goes */
  seen(layer: StoredByKey, definitions: Definitions): readonly SeenKind[] {
    const thinned = new Set(this.thinned(layer));
    const known = namesIn(layer);
    return this.#all.map((each) => {
      const { kind, cache } = each;
      const { listedMs, isAbsent } = each.state();
      const rest = { kind, manifests: cache.values() };
      if (isAbsent) return { ...rest, is: "absent" };
      if (listedMs === undefined) return { ...rest, is: "unlisted" };
      if (!thinned.has(each)) {
        this.#emptySinceMs.delete(kind);
        return { ...rest, is: "listed" };
      }
      const definition = definitions.get(kind);
      if (definition === undefined) return { ...rest, is: "unlisted" };
      if (definition === "going") return { ...rest, is: "absent" };
      const isEmptied = cache.size === 0 && known.has(kind) && definition === "unknown";
      return { ...rest, is: isEmptied && this.#isNew(kind) ? "emptied" : "listed" };
    });
  }

  /** Whether what has come without a message, such as a list of nothing, is another one than before. */
  get moment(): string {
    return this.#all
      .map(({ kind, cache, state }) => {
        const { listedMs, isAbsent } = state();
        const isWaiting = this.#emptySinceMs.has(kind) && !this.#isNew(kind);
        return [listedMs !== undefined, isAbsent, cache.size, isWaiting].join("/");
      })
      .join();
  }

  #isNew(kind: ResourceKind): boolean {
    const sinceMs = this.#emptySinceMs.get(kind) ?? this.#nowMs();
    this.#emptySinceMs.set(kind, sinceMs);
    return this.#nowMs() - sinceMs < emptiedMs;
  }
}

function namesIn(layer: StoredByKey): ReadonlyMap<ResourceKind, readonly ResourceName[]> {
  const names = new Map<ResourceKind, ResourceName[]>();
  for (const { object } of layer.values()) {
    const { ref } = object.object;
    const all = names.get(object.kind);
    if (all === undefined) names.set(object.kind, [ref]);
    else all.push(ref);
  }
  return names;
}
