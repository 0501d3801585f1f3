/**
 * The configuration at rest: what operators have applied, and the last good state of the server's directory and of its cluster, so that a
 * file that is bad at a start, or an API server that is away, takes nothing away. It counts its changes.
 */

import type { DatabaseSync } from "node:sqlite";
import type { ResourceRef } from "../../core/resources/resource.ts";
import { durableTransaction } from "./durable.ts";
import { StoreError, unreadable } from "./store-error.ts";

/** Where an object comes from. Several may have one of a name. */
export type ResourceLayer = "directory" | "applied" | "cluster";

export interface ManifestAtRest {
  /** Its manifest, JSON. */
  readonly json: string;
  /** `FILE:LINE` in the directory; "" for one that was applied; `cluster`. */
  readonly origin: string;
}

export interface StoredManifest extends ManifestAtRest {
  readonly ref: ResourceRef;
}

export interface ResourcesAtRest {
  /** Rises with each change of the configuration. */
  readonly sequence: number;
  /** In the order of kind, namespace and name. */
  readonly layers: Readonly<Record<ResourceLayer, readonly ManifestAtRest[]>>;
}

export interface ResourcesWrite {
  readonly layer: ResourceLayer;
  readonly put: readonly StoredManifest[];
  readonly remove: readonly ResourceRef[];
}

export class StoredResources {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** @throws StoreError `store-unreadable` */
  load(): ResourcesAtRest {
    try {
      const set = this.#database.prepare("SELECT sequence FROM resource_set").get();
      const layers = {
        directory: this.#layer("directory"),
        applied: this.#layer("applied"),
        cluster: this.#layer("cluster"),
      };
      return { sequence: Number(set?.["sequence"]), layers };
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  /**
   * All of it or nothing; durable when it returns.
   * @param before the sequence that it follows from
   * @returns the next one
   * @throws StoreError `store-resources-changed` when something else is stored; whatever SQLite throws
   */
  change(before: number, { layer, put, remove }: ResourcesWrite): number {
    return durableTransaction(this.#database, "resources-change", () => {
      const next = before + 1;
      const { changes } = this.#database
        .prepare("UPDATE resource_set SET sequence = ? WHERE sequence = ?")
        .run(next, before);
      if (changes !== 1) throw otherSequence(before);
      const erase = this.#database.prepare(
        "DELETE FROM resources WHERE layer = ? AND kind = ? AND namespace = ? AND name = ?",
      );
      for (const { kind, namespace, name } of remove) erase.run(layer, kind, namespace, name);
      const insert = this.#database.prepare(
        "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)",
      );
      for (const { ref, origin, json } of put) {
        insert.run(layer, ref.kind, ref.namespace, ref.name, origin, json);
      }
      return next;
    });
  }

  #layer(layer: ResourceLayer): readonly ManifestAtRest[] {
    return this.#database
      .prepare("SELECT * FROM resources WHERE layer = ? ORDER BY kind, namespace, name")
      .all(layer)
      .map(({ manifest, origin }) => ({ json: String(manifest), origin: String(origin) }));
  }
}

function otherSequence(before: number): StoreError {
  const message = `expected change ${before} of the configuration in the store, got another`;
  return new StoreError("store-resources-changed", message, {
    hint: "restart the server: its database was changed by something else",
  });
}
