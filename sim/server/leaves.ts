/**
 * Whose certificates are unexpired, as `src/app/server/rotation/leaf-books.ts` has it: made anew from the log after each start, a few entries
 * at a time, and kept up by what is issued meanwhile.
 */

import { LeafHolders } from "../../src/core/roll/leaf-holders.ts";
import { LeafOwners } from "../../src/core/roll/leaf-owners.ts";
import type { LeafRecord } from "../../src/core/roll/leaf-record.ts";
import type { Worker } from "../world/pipe.ts";
import type { Goodbye } from "./log.ts";
import type { Server } from "./server.ts";

const chunk = 4;

export class Leaves implements Worker {
  readonly #server: Server;
  owners: LeafOwners = new LeafOwners();
  holders: LeafHolders = new LeafHolders();
  #next = 0;
  /** How often its turn comes before it begins: a log may be long. */
  #patience = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  get isReady(): boolean {
    return this.#server.isUp && !this.isBuilt;
  }

  get isBuilt(): boolean {
    return this.owners.isBuilt;
  }

  add(leaf: LeafRecord): void {
    this.owners.add(leaf);
    this.holders.add(leaf);
  }

  goodbye({ agent, atMs }: Goodbye): void {
    this.owners.goodbye(agent, atMs);
  }

  /** What has a result comes as it is read; an intent without one may have been signed, and comes at last. */
  step(): void {
    if (this.#patience-- > 0) return;
    const { leaves, goodbyes } = this.#server.log;
    const end = Math.min(this.#next + chunk, leaves.length);
    for (; this.#next < end; this.#next++) {
      const leaf = leaves[this.#next];
      if (leaf !== undefined) this.add(leaf);
    }
    if (this.#next < leaves.length) return;
    for (const goodbye of goodbyes) this.goodbye(goodbye);
    this.owners.built();
    this.holders.built();
  }

  prune(nowMs: number): void {
    this.owners.prune(nowMs);
    this.holders.prune(nowMs);
  }

  reset(): void {
    this.owners = new LeafOwners();
    this.holders = new LeafHolders();
    this.#next = 0;
    this.#patience = this.#server.below(2) === 0 ? this.#server.below(60) : 0;
  }
}
