/** Audits entries, a tile of them at a time, with what is derived from them; pruned ones by the hashes that are left. */

import type { DatabaseSync } from "node:sqlite";
import { LogAuditor, type AuditSummary } from "../../core/log/audit.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { EventEntry } from "../../core/log/entry.ts";
import { HASH_BYTES } from "../../core/log/merkle.ts";
import type { NoteVerifier } from "../../core/log/note-key.ts";
import { TILE_WIDTH } from "../../core/log/tile.ts";
import type { AuditRows } from "./audit-rows.ts";
import { IndexAudit } from "./index-audit.ts";
import type { LogFault } from "./log-fault.ts";
import { PrunedAudit } from "./pruned-audit.ts";
import { WitnessAudit } from "./witness-audit.ts";

export class EntryAudit {
  readonly #rows: AuditRows;
  readonly #auditor = new LogAuditor();
  readonly #pruned = new PrunedAudit();
  readonly #index: IndexAudit;
  /** Said when the entries are good: the index looks ahead, and what is wrong with it may be an entry's fault. */
  #indexFault: LogFault | undefined;
  readonly witnesses: WitnessAudit;

  /**
   * @param size of the log that is audited
   * @param verifiers of its key
   */
  constructor(
    database: DatabaseSync,
    rows: AuditRows,
    size: number,
    verifiers: readonly NoteVerifier[],
  ) {
    this.#rows = rows;
    this.witnesses = new WitnessAudit(verifiers);
    this.#index = new IndexAudit(database, size);
  }

  /** Those of one tile, or what there is of the last. */
  take(from: number, to: number): LogFault | undefined {
    const rows = this.#rows.entries(from, to);
    if (rows.length !== to - from) return this.#skip(from, to);
    for (const [position, data] of rows.entries()) {
      const fault = this.#auditor.take(from + position, data);
      if (fault !== undefined) return fault;
    }
    const entries = rows.map(decodeEntry);
    for (const [position, entry] of entries.entries()) {
      if (entry.kind !== "event") continue;
      const fault = this.#takeEvent(from + position, entry);
      if (fault !== undefined) return fault;
    }
    this.#indexFault ??= this.#index.fault(from, entries);
    return undefined;
  }

  #takeEvent(index: number, event: EventEntry): LogFault | undefined {
    const pruned = this.#pruned.take(index, event);
    if (pruned !== undefined) return { index, code: "pruned-wrong", message: pruned };
    const message = this.witnesses.take(index, event);
    return message === undefined ? undefined : { index, code: "restored-wrong", message };
  }

  /** Pruned, perhaps since this audit began. */
  #skip(from: number, to: number): LogFault | undefined {
    const leaves = this.#rows.leaves(from / TILE_WIDTH);
    if (to > this.#rows.head().prunedTo || leaves === undefined) {
      const index = this.#rows.firstMissing(from, to);
      const message = "it is missing, and no prune says so";
      return { index, code: "entry-missing", message };
    }
    for (let index = from; index < to; index++) {
      const start = (index - from) * HASH_BYTES;
      const fault = this.#auditor.skip(index, leaves.subarray(start, start + HASH_BYTES));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  summary(): AuditSummary {
    return this.#auditor.finish();
  }

  /** What only the whole log shows. */
  fault({ size, openIntents, skipped }: AuditSummary): LogFault | undefined {
    if (this.#indexFault !== undefined) return this.#indexFault;
    const pruned = this.#pruned.fault(skipped);
    if (pruned !== undefined) return { index: 0, code: "pruned-wrong", message: pruned };
    if (openIntents.length === this.#index.open) return undefined;
    const message = `expected ${openIntents.length} open intents in the index, got ${this.#index.open}`;
    return { index: size, code: "index-wrong", message };
  }
}
