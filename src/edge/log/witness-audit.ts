/**
 * What witnesses hold against a log: the checkpoints in its own alarms, and one that the auditor has brought. One that this
 * log has signed and does not go on from is a proof, whoever shows it; an alarm without one is a claim. A restore that
 * the log admits explains what was lost by it, by the same rule as for agents (`core/log/witness`).
 */

import type { DatabaseSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { openCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import type { EventEntry } from "../../core/log/entry.ts";
import { LogError } from "../../core/log/log-error.ts";
import type { NoteVerifier } from "../../core/log/note-key.ts";
import { parseRestored, type RestoredRange } from "../../core/log/restored.ts";
import { growthFault } from "./growth-audit.ts";
import type { LogFault } from "./log-fault.ts";

export interface LoggedAlarm {
  readonly index: number;
  /** `log-fork`, `log-rollback`... */
  readonly kind: string;
  /** Who raised it. */
  readonly subject: string;
}

export interface LoggedRestore extends RestoredRange {
  readonly index: number;
}

interface HeldCheckpoint {
  /** Of the first alarm that shows it; the log's size for what the auditor has brought. */
  readonly index: number;
  readonly old: Checkpoint;
}

interface FoundRestore {
  readonly logged: LoggedRestore;
  /** The newest checkpoint that was lost; undefined unless this log has signed it. */
  readonly lost: Checkpoint | undefined;
}

/** The newest are kept, to be counted: whoever raises many takes none of the proofs away. */
const ALARMS_MAX = 1_024;

export class WitnessAudit {
  readonly #verifiers: readonly NoteVerifier[];
  readonly #alarms: LoggedAlarm[] = [];
  /** By size and root: only what the log's key has signed, so nobody else makes them many. */
  readonly #held = new Map<string, HeldCheckpoint>();
  readonly #restores: FoundRestore[] = [];
  #sinceRestored: LoggedRestore | undefined;

  constructor(verifiers: readonly NoteVerifier[]) {
    this.#verifiers = verifiers;
  }

  get alarms(): readonly LoggedAlarm[] {
    return [...this.#alarms];
  }

  get restores(): readonly LoggedRestore[] {
    return this.#restores.map(({ logged }) => logged);
  }

  /** The restore that has lost entries of the auditor's checkpoint, once `fault` has found that one has. */
  get sinceRestored(): LoggedRestore | undefined {
    return this.#sinceRestored;
  }

  /** @returns what is wrong with the event */
  take(index: number, { type, reason, subject, detail }: EventEntry): string | undefined {
    if (type === "alarm") {
      this.#alarms.push({ index, kind: reason, subject });
      if (this.#alarms.length > ALARMS_MAX) this.#alarms.shift();
      this.#hold(index, heldIn(detail));
    }
    if (type !== "restored") return undefined;
    try {
      const range = parseRestored(detail);
      const lost = this.#open(range.checkpoint);
      this.#restores.push({ logged: { index, ...range }, lost });
      return undefined;
    } catch (error) {
      if (error instanceof LogError) return error.message;
      throw error;
    }
  }

  /**
   * Each checkpoint is compared first: one of a later time than a restore may be within its range, too.
   * @throws RangeError when tiles are missing; what SQLite throws
   */
  fault(
    database: DatabaseSync,
    now: Checkpoint,
    since: Checkpoint | undefined,
  ): LogFault | undefined {
    if (since !== undefined) {
      const fault = growthFault(database, since, now);
      this.#sinceRestored = fault && this.#restoreOf(since);
      if (fault !== undefined && this.#sinceRestored === undefined) {
        return { index: now.size, ...fault };
      }
    }
    for (const { index, old } of this.#held.values()) {
      const fault = growthFault(database, old, now);
      if (fault !== undefined && this.#restoreOf(old) === undefined) return { index, ...fault };
    }
    return undefined;
  }

  /** The restore that explains why the log does not go on from that checkpoint. */
  #restoreOf({ size, root }: Checkpoint): LoggedRestore | undefined {
    return this.#restores.find(({ logged: { from, to }, lost }) => {
      if (lost?.size !== to || size <= from || size > to) return false;
      return size < to || equalBytes(root, lost.root);
    })?.logged;
  }

  #hold(index: number, note: string): void {
    const old = this.#open(note);
    if (old === undefined) return;
    const key = `${old.size} ${Buffer.from(old.root).toString("base64")}`;
    if (!this.#held.has(key)) this.#held.set(key, { index, old });
  }

  /** Anybody may have written it: what is not signed is no checkpoint. */
  #open(note: string): Checkpoint | undefined {
    try {
      return openCheckpoint(note, this.#verifiers);
    } catch (error) {
      if (error instanceof LogError) return undefined;
      throw error;
    }
  }
}

function heldIn(detail: string): string {
  try {
    const { held }: { readonly held?: unknown } = { ...JSON.parse(detail) };
    return typeof held === "string" ? held : "";
  } catch {
    return "";
  }
}
