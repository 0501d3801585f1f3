/**
 * Whose certificates are unexpired, while something is to be decided by it: read from the log, and kept up by what is issued
 * meanwhile. Nothing of it is stored, and no gate opens before it is complete.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { LeafHolders } from "../../../core/roll/leaf-holders.ts";
import { LeafOwners, type LeavingAgent } from "../../../core/roll/leaf-owners.ts";
import type { LeafRecord } from "../../../core/roll/leaf-record.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import type { Intent, LedgerWatch } from "../log/ledger.ts";
import { addTo, readLeaves, type LeafBook } from "./read-leaves.ts";

export interface LeafBooksDependencies {
  readonly reader: LogReader;
  /** Told of each result while there are books. */
  readonly watch: LedgerWatch;
  readonly onFailed: (error: unknown) => void;
  readonly nowMs: () => number;
}

const retryMs = 5_000;

export class LeafBooks implements Disposable {
  readonly #dependencies: LeafBooksDependencies;
  #book: LeafBook | undefined;

  constructor(dependencies: LeafBooksDependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns the one that there is, or a new one: it says itself whether it is complete */
  open(): LeafBook {
    return this.#book ?? this.#begin();
  }

  /** Nothing is to be decided any more. */
  close(): void {
    this.#book = undefined;
    this.#dependencies.watch.settled = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  goodbye(agent: LeavingAgent): void {
    this.#book?.owners.goodbye(agent, this.#dependencies.nowMs());
  }

  prune(): void {
    this.#book?.owners.prune(this.#dependencies.nowMs());
    this.#book?.holders.prune(this.#dependencies.nowMs());
  }

  #begin(): LeafBook {
    const { reader, watch, onFailed, nowMs } = this.#dependencies;
    const book = { owners: new LeafOwners(), holders: new LeafHolders() };
    this.#book = book;
    // Before the first page is read: what is issued from now on may come twice, and never not at all.
    watch.settled = (intent, intentIndex, outcome) => {
      const { artifact } = intent;
      const isHeld = artifact === "workload" || artifact === "canary";
      if (!isHeld || outcome === "failed") return;
      addTo(book, leafOf(intent, intentIndex, outcome));
    };
    void readLeaves(book, reader, nowMs(), () => this.#book === book).catch(
      async (error: unknown) => {
        onFailed(error);
        await sleep(retryMs, undefined, { ref: false });
        if (this.#book === book) this.#begin();
      },
    );
    return book;
  }
}

function leafOf(
  { artifact, identity, agent, root, prepared, evidence }: Intent,
  intentIndex: number,
  outcome: "signed" | "unknown",
): LeafRecord {
  return {
    identity,
    agent,
    serialHex: Buffer.from(prepared.serial).toString("hex"),
    notAfterMs: prepared.notAfterMs,
    root,
    intentIndex,
    outcome,
    ...(evidence.pod !== "" && { pod: evidence.pod }),
    ...(artifact === "canary" && { isCanary: true }),
  };
}
