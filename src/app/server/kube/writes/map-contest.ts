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
  /** By namespace who it is. */
  readonly #rivals = new Map<string, string>();
  #rival = "";

  constructor(events: Pick<BundleMapEvents, "contested">) {
    this.#events = events;
  }

  /** As it was seen last. */
  get rival(): string {
    return this.#rival;
  }

  size(nowMs: number): number {
    for (const each of this.#rivals.keys()) {
      if (!this.#rewrites.isContested(each, nowMs)) this.#rivals.delete(each);
    }
    return this.#rivals.size;
  }

  /** @returns "" where nobody says; undefined: nobody writes there but us */
  rivalIn(namespace: string, nowMs: number): string | undefined {
    const isContested = this.#rewrites.isContested(namespace, nowMs);
    return isContested ? (this.#rivals.get(namespace) ?? "") : undefined;
  }

  /** As `Rewrites` has it. */
  isRestless(namespace: string, nowMs: number): boolean {
    return this.#rewrites.isRestless(namespace, nowMs);
  }

  waitMs(namespace: string, content: string, nowMs: number): number {
    return this.#rewrites.waitMs(namespace, content, nowMs);
  }

  wrote(namespace: string, { content, manager }: WrittenContent, nowMs: number): void {
    const isNew = this.#rewrites.wrote(namespace, content, nowMs);
    if (!this.#rewrites.isContested(namespace, nowMs)) return;
    this.#rivals.set(namespace, manager);
    this.#rival = manager;
    const size = this.size(nowMs);
    if (isNew && isRound(size)) this.#events.contested(namespace, manager, size);
  }

  forget(namespace: string): void {
    this.#rewrites.forget(namespace);
    this.#rivals.delete(namespace);
  }
}
