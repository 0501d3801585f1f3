/**
 * Reads all of a log: every entry, every tile, the index of certificates, and the last checkpoint. Also while the server
 * writes; what comes after the beginning is not looked at.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { LogAuditor, type AuditFaultCode, type AuditSummary } from "../../core/log/audit.ts";
import { openCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import { HASH_BYTES } from "../../core/log/merkle.ts";
import type { NoteVerifier } from "../../core/log/note-key.ts";
import { TILE_WIDTH } from "../../core/log/tile.ts";
import { IndexAudit } from "./index-audit.ts";
import { logPath, openForReading } from "./log-database.ts";
import { unreadable } from "./log-failure.ts";
import { tileFault } from "./tile-audit.ts";

export interface LogFault {
  /** Of the entry that it was found at; the log's size for what concerns all of it. */
  readonly index: number;
  readonly code:
    | AuditFaultCode
    | "entry-missing"
    | "index-wrong"
    | "tile-wrong"
    | "root-wrong"
    | "database-wrong";
  readonly message: string;
}

export interface LogAudit {
  readonly checkpoint: Checkpoint;
  readonly summary: AuditSummary;
  /** The first one. */
  readonly fault: LogFault | undefined;
}

/**
 * @throws LogError `log-lost`, `log-newer`, `log-unreadable`, and as `openCheckpoint` does when none of the verifiers has
 *   signed the last checkpoint
 */
export function auditLog(dataDir: string, verifiers: readonly NoteVerifier[]): LogAudit {
  const path = logPath(dataDir);
  using database = openForReading(path);
  try {
    return new Audit(database, verifiers).run();
  } catch (error) {
    throw unreadable(path, error);
  }
}

class Audit {
  readonly #database: DatabaseSync;
  readonly #checkpoint: Checkpoint;
  readonly #auditor = new LogAuditor();
  readonly #index: IndexAudit;
  readonly #entries: StatementSync;
  readonly #leaves: StatementSync;

  constructor(database: DatabaseSync, verifiers: readonly NoteVerifier[]) {
    this.#database = database;
    const note = database.prepare("SELECT checkpoint FROM head").get()?.["checkpoint"];
    this.#checkpoint = openCheckpoint(String(note), verifiers);
    this.#index = new IndexAudit(database, this.#checkpoint.size);
    this.#entries = database.prepare(
      "SELECT data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
    this.#leaves = database.prepare("SELECT hashes FROM tiles WHERE level = 0 AND idx = ?");
  }

  run(): LogAudit {
    const { size } = this.#checkpoint;
    let fault: LogFault | undefined;
    for (let from = 0; from < size && fault === undefined; from += TILE_WIDTH) {
      fault = this.#atOnce(() => this.#take(from, Math.min(from + TILE_WIDTH, size)));
    }
    const summary = this.#auditor.finish();
    fault ??= this.#finish(summary);
    return { checkpoint: this.#checkpoint, summary, fault };
  }

  /** Nothing is forgotten meanwhile. */
  #atOnce<T>(work: () => T): T {
    this.#database.exec("BEGIN");
    try {
      return work();
    } finally {
      this.#database.exec("ROLLBACK");
    }
  }

  #take(from: number, to: number): LogFault | undefined {
    const rows = this.#entries.all(from, to);
    const entries = rows.map(({ data }) => data).filter((data) => data instanceof Uint8Array);
    if (entries.length !== to - from) return this.#skip(from, to);
    for (const [position, data] of entries.entries()) {
      const fault = this.#auditor.take(from + position, data);
      if (fault !== undefined) return fault;
    }
    const message = this.#index.fault(from, entries);
    return message === undefined ? undefined : { index: from, code: "index-wrong", message };
  }

  /** Pruned, perhaps since this audit began. */
  #skip(from: number, to: number): LogFault | undefined {
    const head = this.#database.prepare("SELECT pruned_to FROM head").get();
    const leaves = this.#leaves.get(from / TILE_WIDTH)?.["hashes"];
    if (to > Number(head?.["pruned_to"]) || !(leaves instanceof Uint8Array)) {
      const message = `expected the entries ${from} to ${to - 1}, some are missing`;
      return { index: from, code: "entry-missing", message };
    }
    for (let index = from; index < to; index++) {
      const start = (index - from) * HASH_BYTES;
      const fault = this.#auditor.skip(index, leaves.subarray(start, start + HASH_BYTES));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #finish({ root, openIntents }: AuditSummary): LogFault | undefined {
    const { size, root: expected } = this.#checkpoint;
    const fault = (code: LogFault["code"], message: string): LogFault => {
      return { index: size, code, message };
    };
    if (!equalBytes(root, expected)) {
      return fault("root-wrong", "the entries do not lead to the root of the checkpoint");
    }
    if (openIntents.length !== this.#index.open) {
      const counts = `expected ${openIntents.length} open intents in the index`;
      return fault("index-wrong", `${counts}, got ${this.#index.open}`);
    }
    const tile = this.#atOnce(() => tileFault(this.#database, size, root));
    if (tile !== undefined) return fault("tile-wrong", tile);
    const check = this.#database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
    return check === "ok" ? undefined : fault("database-wrong", String(check));
  }
}
