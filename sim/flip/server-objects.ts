/** The objects of a simulated server: each change is durable before anybody goes by it. */

import { MeshView } from "../../src/core/policy/mesh-view.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { Disk, StoredObject } from "./disk.ts";
import { trustDomain } from "./mesh-objects.ts";

export interface ObjectsOf {
  readonly disk: Disk;
  readonly nowMs: () => number;
}

const seenMs = 1_000;

export class ServerObjects {
  readonly #disk: Disk;
  readonly #nowMs: () => number;
  readonly #onChange: (ref: ResourceRef, stored: StoredObject | undefined) => void;
  #view: MeshView | undefined;

  constructor(
    { disk, nowMs }: ObjectsOf,
    onChange: (ref: ResourceRef, stored: StoredObject | undefined) => void,
  ) {
    this.#disk = disk;
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  get view(): MeshView {
    const objects = [...this.#disk.objects.values()].map(({ object }) => object);
    this.#view ??= new MeshView(objects, trustDomain);
    return this.#view;
  }

  /** @throws crash */
  put(ref: ResourceRef, stored: StoredObject | undefined): void {
    const { objects, absentSinceMs, putMs } = this.#disk;
    const key = refKey(ref);
    const nowMs = this.#nowMs();
    this.#disk.write("object", () => {
      if (stored !== undefined) {
        objects.set(key, stored);
        putMs.set(key, nowMs);
        // Whoever was there for less than a look was not there.
      } else if (objects.delete(key) && nowMs - (putMs.get(key) ?? 0) > seenMs)
        absentSinceMs.set(key, nowMs);
    });
    this.#view = undefined;
    this.#onChange(ref, stored);
  }
}
