/**
 * The configuration of a running server, and its changes, one at a time. Each is durable in the log first, then in the store, and then in
 * force: so an event in the log says what was ordered, also where the server ended before it was done. What cannot be recorded is not in
 * force, and what held before goes on.
 */

import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { LoadedObject, ParsedManifests } from "../../../../edge/resources/manifest.ts";
import type { ManifestAtRest, StoredResources } from "../../../../edge/store/resources.ts";
import type { LogEvent } from "../../log/log-keeper.ts";
import { OneAtATime } from "../../one-at-a-time.ts";
import type { ClusterState } from "./cluster-state.ts";
import { differenceTo } from "./layer-difference.ts";
import {
  planChange,
  type PlannedChange,
  type ResourceAction,
  type WantedChange,
} from "./plan-change.ts";
import { readAgain, readStored } from "./read-manifest.ts";
import { resourceEvent } from "./resource-event.ts";
import { ResourceSet, type LayerChange, type StoredByKey } from "./resource-set.ts";
import { keyOf, storedObject, type StoredObject } from "./stored-object.ts";

export interface ResourcesDependencies {
  readonly stored: Pick<StoredResources, "load" | "change">;
  /** Durable in the transparency log when it resolves. */
  readonly record: (event: LogEvent) => Promise<void>;
  readonly nowMs: () => number;
}

export interface ChangeOrder {
  /** Claimed; "" is the server itself. */
  readonly operator: string;
  readonly isDryRun: boolean;
}

export class Resources {
  readonly set: ResourceSet;
  readonly #dependencies: ResourcesDependencies;
  /** Most of a directory stays when one of its files changes. */
  readonly #known = new WeakMap<LoadedObject, StoredObject>();
  /** Each follows from the one before it. */
  readonly #turns = new OneAtATime();

  /** @throws StoreError */
  constructor(dependencies: ResourcesDependencies) {
    this.#dependencies = dependencies;
    const { sequence, layers } = dependencies.stored.load();
    const readAll = (manifests: readonly ManifestAtRest[]): readonly StoredObject[] =>
      manifests.map((each) => readStored(each));
    const { directory, applied, cluster } = layers;
    this.set = new ResourceSet(sequence, {
      directory: readAll(directory),
      applied: readAll(applied),
      cluster: readAll(cluster),
    });
  }

  /**
   * All of it, or nothing.
   * @param wanted a function where it hangs on what holds when its turn has come
   * @throws ResourceChangeError, LogError; whatever SQLite or the function throws. Then nothing is in force that was not; where SQLite
   * throws, the log has the order all the same
   */
  async change(
    wanted: WantedChange | (() => WantedChange),
    { operator, isDryRun }: ChangeOrder,
  ): Promise<PlannedChange> {
    return await this.#turns.run(async () => {
      const nowMs = Math.floor(this.#dependencies.nowMs());
      const now = typeof wanted === "function" ? wanted() : wanted;
      const plan = planChange(now, { set: this.set, nowMs, read: readAgain });
      if (!isDryRun) await this.#make(plan.change, operator, plan.actions);
      return plan;
    });
  }

  /**
   * What the directory holds now, whole.
   * @throws LogError; whatever SQLite throws
   */
  async takeDirectory({ objects, problems }: ParsedManifests): Promise<void> {
    await this.#turns.run(async () => {
      await this.#takeLayer("directory", objects);
      this.set.layerHas("directory", problems);
    });
  }

  /**
   * What the cluster has when its turn has come, and what is kept of what it had.
   * @throws LogError; whatever SQLite throws
   */
  async takeCluster(stateAfter: (before: StoredByKey) => ClusterState): Promise<void> {
    await this.#turns.run(async () => {
      const { objects, kept, problems } = stateAfter(this.set.layer("cluster"));
      await this.#takeLayer("cluster", objects, kept);
      this.set.layerHas("cluster", problems);
    });
  }

  async #takeLayer(
    layer: "directory" | "cluster",
    objects: readonly LoadedObject[],
    kept: readonly StoredObject[] = [],
  ): Promise<void> {
    const before = this.set.layer(layer);
    const now = [...kept, ...objects.map((each) => this.#storedOf(each))];
    const change = { layer, ...differenceTo(before, now) };
    await this.#make(change, "", actionsOf(before, change));
  }

  async #make(
    change: LayerChange,
    operator: string,
    actions: readonly ResourceAction[],
  ): Promise<void> {
    const { layer, put, remove } = change;
    if (put.length + remove.length === 0) return;
    const { record, stored } = this.#dependencies;
    const before = this.set.sequence;
    // Lines that have moved are no news for the log.
    if (actions.some(({ action }) => action !== "unchanged")) {
      const objects = this.set.preview(change);
      await record(resourceEvent({ operator, layer, sequence: before + 1, actions, objects }));
    }
    const sequence = stored.change(before, {
      layer,
      put: put.map(({ object, json, origin }) => ({ ref: object.object.ref, json, origin })),
      remove: refsOf(this.set.layer(layer), remove),
    });
    this.set.change(change, sequence);
  }

  #storedOf(read: LoadedObject): StoredObject {
    const known = this.#known.get(read) ?? storedObject(read);
    this.#known.set(read, known);
    return known;
  }
}

function actionsOf(before: StoredByKey, { put, remove }: LayerChange): readonly ResourceAction[] {
  const done = put.map((each): ResourceAction => {
    const { ref } = each.object.object;
    const old = before.get(keyOf(each));
    if (old === undefined) return { ref, action: "created" };
    return { ref, action: old.json === each.json ? "unchanged" : "configured" };
  });
  const deleted = refsOf(before, remove).map((ref) => ({ ref, action: "deleted" as const }));
  return [...done, ...deleted];
}

function refsOf(before: StoredByKey, keys: readonly string[]): readonly ResourceRef[] {
  return keys.flatMap((key) => before.get(key)?.object.object.ref ?? []);
}
