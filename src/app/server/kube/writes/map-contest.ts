/** Who else writes the ConfigMaps with the roots, such as an istiod beside us: told to operators, and not fought for ever. */

import { Rewrites } from "../../../../core/kube/writes/rewrites.ts";
import type { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import { isRound } from "./round-count.ts";

export interface WrittenContent {
  readonly content: string;
  /** Whose word it replaced, by `managedFields`; "" for nobody's. */
  readonly manager: string;
}

export class MapContest {
  readonly #events: Pick<BundleMapEvents, "contested">;
  readonly #rewrites = new Rewrites();
  readonly #namespaces = new Set<string>();
  #rival = "";

  constructor(events: Pick<BundleMapEvents, "contested">) {
    this.#events = events;
  }

  /** As it was seen last. */
  get rival(): string {
    return this.#rival;
  }

  size(nowMs: number): number {
    for (const each of this.#namespaces) {
      if (!this.#rewrites.isContested(each, nowMs)) this.#namespaces.delete(each);
    }
    return this.#namespaces.size;
  }

  waitMs(namespace: string, content: string, nowMs: number): number {
    return this.#rewrites.waitMs(namespace, content, nowMs);
  }

  wrote(namespace: string, { content, manager }: WrittenContent, nowMs: number): void {
    const isNew = this.#rewrites.wrote(namespace, content, nowMs);
    if (!this.#rewrites.isContested(namespace, nowMs)) return;
    this.#namespaces.add(namespace);
    this.#rival = manager;
    const size = this.size(nowMs);
    if (isNew && isRound(size)) this.#events.contested(namespace, manager, size);
  }

  forget(namespace: string): void {
    this.#rewrites.forget(namespace);
    this.#namespaces.delete(namespace);
  }
}
