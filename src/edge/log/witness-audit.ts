/**
 * What witnesses hold against a log: the checkpoints in its own alarms, and one that the auditor has brought. One that this
 * log has signed and does not go on from is a proof, whoever shows it; an alarm without one is a claim. A restore that
 * the log admits explains what was lost by it.
 */

import type { DatabaseSync } from "node:sqlite";
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
  /** The signed note that its agent held; "" where there is none. */
  readonly held: string;
}

export interface LoggedRestore extends RestoredRange {
  readonly index: number;
}

/** The newest are kept; each has some kilobytes. */
const ALARMS_MAX = 1_024;

export class WitnessAudit {
  readonly #alarms: LoggedAlarm[] = [];
  readonly #restores: LoggedRestore[] = [];

  get alarms(): readonly LoggedAlarm[] {
    return [...this.#alarms];
  }

  get restores(): readonly LoggedRestore[] {
    return [...this.#restores];
  }

  /** @returns what is wrong with the event */
  take(index: number, { type, reason, subject, detail }: EventEntry): string | undefined {
    if (type === "alarm") {
      this.#alarms.push({ index, kind: reason, subject, held: heldIn(detail) });
      if (this.#alarms.length > ALARMS_MAX) this.#alarms.shift();
    }
    if (type !== "restored") return undefined;
    try {
      this.#restores.push({ index, ...parseRestored(detail) });
      return undefined;
    } catch (error) {
      if (error instanceof LogError) return error.message;
      throw error;
    }
  }

  /** The restore that has lost entries of that older checkpoint. */
  restoreOf({ size }: Checkpoint): LoggedRestore | undefined {
    return this.#restores.find(({ from, to }) => from < size && size <= to);
  }

  /** @throws RangeError when tiles are missing; what SQLite throws */
  fault(
    database: DatabaseSync,
    now: Checkpoint,
    verifiers: readonly NoteVerifier[],
    since: Checkpoint | undefined,
  ): LogFault | undefined {
    const held = this.#alarms.map(({ index, held }) => ({ index, old: open(held, verifiers) }));
    for (const { index, old } of [{ index: now.size, old: since }, ...held]) {
      if (old === undefined || this.restoreOf(old) !== undefined) continue;
      const fault = growthFault(database, old, now);
      if (fault !== undefined) return { index, ...fault };
    }
    return undefined;
  }
}

/** Anybody may have written it: what is not signed is no checkpoint. */
function open(note: string, verifiers: readonly NoteVerifier[]): Checkpoint | undefined {
  try {
    return openCheckpoint(note, verifiers);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
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
