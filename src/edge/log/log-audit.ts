/**
 * Reads all of a log: every entry, every tile, the index of certificates, and the last checkpoint. Also while the server
 * writes; what comes after the beginning is not looked at.
 */

import type { DatabaseSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import type { AuditSummary } from "../../core/log/audit.ts";
import type { Checkpoint } from "../../core/log/checkpoint.ts";
import { LogError } from "../../core/log/log-error.ts";
import type { NoteVerifier } from "../../core/log/note-key.ts";
import { TILE_WIDTH } from "../../core/log/tile.ts";
import { AuditRows } from "./audit-rows.ts";
import { EntryAudit } from "./entry-audit.ts";
import { logPath, openForReading } from "./log-database.ts";
import { auditHead, type AuditedHead } from "./head-audit.ts";
import { isCorrupt, unreadable } from "./log-failure.ts";
import type { LogFault } from "./log-fault.ts";
import { tileFault } from "./tile-audit.ts";
import type { LoggedAlarm, LoggedRestore } from "./witness-audit.ts";

export interface LogAudit {
  readonly checkpoint: Checkpoint;
  /** The checkpoint's signed note. */
  readonly note: string;
  readonly summary: AuditSummary;
  readonly alarms: readonly LoggedAlarm[];
  readonly restores: readonly LoggedRestore[];
  /** The restore that has lost entries of the older checkpoint, if one has. */
  readonly sinceRestored: LoggedRestore | undefined;
  /** The first one. */
  readonly fault: LogFault | undefined;
}

export interface LogAuditOptions {
  /** One of them must have signed the last checkpoint. */
  readonly verifiers: readonly NoteVerifier[];
  /** An older one, verified: the log must go on from it. */
  readonly since?: Checkpoint | undefined;
}

/** About as long as a turn of the event loop may take. */
const STEP_TILES = 16;
const ATTEMPTS_MAX = 3;

/** @throws as `auditSteps` */
export function auditLog(dataDir: string, verifiers: readonly NoteVerifier[]): LogAudit {
  const steps = auditSteps(dataDir, { verifiers });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * In steps, for those who have something else to do meanwhile; yields how many entries have been read.
 * @throws LogError `log-lost`, `log-newer`, `log-unreadable`, and as `openCheckpoint` does when none of the verifiers has
 *   signed the last checkpoint
 */
export function* auditSteps(
  dataDir: string,
  options: LogAuditOptions,
): Generator<number, LogAudit, void> {
  const path = logPath(dataDir);
  using database = openForReading(path);
  try {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const audit = new Audit(database, options);
      const found = yield* audit.run();
      if (found.fault?.code !== "pruned-wrong" || !audit.hasBeenPruned()) return found;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new LogError("log-unreadable", `${path} is being pruned faster than it can be read`, {
    hint: "try again when that is over",
  });
}

class Audit {
  readonly #database: DatabaseSync;
  readonly #head: AuditedHead;
  readonly #options: LogAuditOptions;
  readonly #entries: EntryAudit;
  readonly #rows: AuditRows;

  constructor(database: DatabaseSync, options: LogAuditOptions) {
    this.#database = database;
    this.#rows = new AuditRows(database);
    this.#head = auditHead(this.#rows, options.verifiers);
    this.#options = options;
    const { size } = this.#head.checkpoint;
    this.#entries = new EntryAudit(database, this.#rows, size, options.verifiers);
  }

  *run(): Generator<number, LogAudit, void> {
    const { size } = this.#head.checkpoint;
    let fault: LogFault | undefined;
    for (let from = 0; from < size && fault === undefined; from += TILE_WIDTH) {
      if (from % (STEP_TILES * TILE_WIDTH) === 0) yield from;
      fault = this.#expectReadable(from, () => {
        return this.#rows.atOnce(() => this.#entries.take(from, Math.min(from + TILE_WIDTH, size)));
      });
    }
    const summary = this.#entries.summary();
    fault ??= this.#expectReadable(size, () => this.#finish(summary));
    const { witnesses } = this.#entries;
    return {
      checkpoint: this.#head.checkpoint,
      note: this.#head.note,
      summary,
      alarms: witnesses.alarms,
      restores: witnesses.restores,
      sinceRestored: witnesses.sinceRestored,
      fault,
    };
  }

  hasBeenPruned(): boolean {
    return this.#rows.head().prunedTo !== this.#head.prunedTo;
  }

  /** A broken database is an answer, and not a failure to find one. */
  #expectReadable(index: number, work: () => LogFault | undefined): LogFault | undefined {
    try {
      return work();
    } catch (error) {
      if (!isCorrupt(error) && !(error instanceof RangeError)) throw error;
      return { index, code: "database-wrong", message: error.message };
    }
  }

  #finish(summary: AuditSummary): LogFault | undefined {
    const { size, root } = this.#head.checkpoint;
    const fault = (code: LogFault["code"], message: string): LogFault => {
      return { index: size, code, message };
    };
    if (!equalBytes(root, summary.root)) {
      const changed = this.#rows.firstChanged(size);
      if (changed !== undefined) {
        const message = "it is not the entry whose hash stands in its tile";
        return { index: changed, code: "entry-changed", message };
      }
      return fault("root-wrong", "the entries do not lead to the root of the checkpoint");
    }
    const whole = this.#entries.fault(summary);
    if (whole !== undefined) return whole;
    if (this.#head.fault !== undefined) return this.#head.fault;
    const tile = this.#rows.atOnce(() => tileFault(this.#database, size, root));
    if (tile !== undefined) return fault("tile-wrong", tile);
    const { witnesses } = this.#entries;
    const held = witnesses.fault(this.#database, this.#head.checkpoint, this.#options.since);
    if (held !== undefined) return held;
    const check = this.#rows.integrity();
    return check === "ok" ? undefined : fault("database-wrong", check);
  }
}
