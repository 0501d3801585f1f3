/** What is known of each kind of policy that the cluster may have: told apart so that what is not known is never taken for nothing. */

import { nameKey, type ResourceKind } from "../../../../core/resources/resource.ts";
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

/** Of a kind of which objects are gone: whether they went with it. */
export interface AskedKind {
  readonly definition: DefinitionState;
  /** What was gone when that was asked, by `nameKey`. Of what went later it says nothing. */
  readonly gone: ReadonlySet<string>;
}

export type AskedKinds = ReadonlyMap<ResourceKind, AskedKind>;

const nothing: ReadonlySet<string> = new Set();

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

  /** What is in force and the cluster has no more, by `nameKey`; of kinds of which there is such. */
  gone(layer: StoredByKey): ReadonlyMap<WatchedPolicies, ReadonlySet<string>> {
    const known = Map.groupBy(layer.values(), ({ object }) => object.kind);
    const all = new Map<WatchedPolicies, ReadonlySet<string>>();
    for (const each of this.#all) {
      const { listedMs, isAbsent } = each.state();
      if (isAbsent || listedMs === undefined) continue;
      const refs = (known.get(each.kind) ?? []).map(({ object }) => object.object.ref);
      const gone = refs.filter(({ namespace, name }) => !each.cache.find(namespace, name));
      if (gone.length > 0) all.set(each, new Set(gone.map(nameKey)));
    }
    return all;
  }

  /** @param asked what went before it was asked may go; all else stays */
  seen(layer: StoredByKey, asked: AskedKinds): readonly SeenKind[] {
    const goneNow = this.gone(layer);
    return this.#all.map((each) => {
      const { kind, cache } = each;
      const { listedMs, isAbsent } = each.state();
      const rest = { kind, manifests: cache.values() };
      if (isAbsent) return { ...rest, is: "absent" };
      if (listedMs === undefined) return { ...rest, is: "unlisted" };
      const gone = goneNow.get(each);
      if (gone === undefined) {
        this.#emptySinceMs.delete(kind);
        return { ...rest, is: "listed" };
      }
      const { definition, gone: before = nothing } = asked.get(kind) ?? {};
      if (definition === "going") return { ...rest, is: "absent" };
      const isEmptied = cache.size === 0 && definition === "unknown";
      if (isEmptied && this.#isNew(kind)) return { ...rest, is: "emptied" };
      return { ...rest, is: "listed", stays: gone.difference(before) };
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
