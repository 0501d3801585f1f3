/**
 * What the agent knows of the server's log, on disk: the pinned key and the newest checkpoint. It outlives the process, or a
 * server that was set back together with its agents' pods would have no witness. An operator who wants to begin anew with
 * another log removes the file.
 */

import { join } from "node:path";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { isSize } from "../../core/log/merkle.ts";
import { parseVerifierKey } from "../../core/log/note-key.ts";
import type { WitnessState } from "../../core/log/witness.ts";
import {
  PrivateFileError,
  readPrivateFile,
  writeFileAtomic,
} from "../../edge/config/private-files.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { StateFileError } from "./workload-set.ts";

const fileName = "witness.json";
const fileBytesMax = 65_536;

/** The checkpoint is in the note. */
type StoredWitness = Omit<WitnessState, "checkpoint"> & { readonly version: 1 };

/** Undefined in a new state directory, and where there is no such state: that is reported. Never rejects. */
export async function readWitness(
  stateDir: string,
  events: AgentEvents,
): Promise<WitnessState | undefined> {
  const path = join(stateDir, fileName);
  try {
    const bytes = await readPrivateFile(path, fileBytesMax);
    return parseStored(JSON.parse(Buffer.from(bytes).toString()));
  } catch (cause) {
    if (cause instanceof PrivateFileError && cause.code === "file-missing") return undefined;
    const message = `${path} is no state of a witness`;
    events.stateUnreadable(
      new StateFileError("state-file-malformed", message, {
        cause,
        hint: "the agent begins anew with the log that it is shown first",
      }),
    );
    return undefined;
  }
}

/** Writes the newest state, one write at a time. */
export class WitnessStore {
  readonly #path: string;
  readonly #events: AgentEvents;
  #next: WitnessState | undefined;
  #writing: Promise<void> | undefined;

  constructor(stateDir: string, events: AgentEvents) {
    this.#path = join(stateDir, fileName);
    this.#events = events;
  }

  /** A disk that is full or gone is reported; the next state is another attempt. */
  write(state: WitnessState): void {
    this.#next = state;
    this.#writing ??= this.#drain();
  }

  /** Resolves when all that was given is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#next !== undefined) {
      const { verifierKey, note, restoredMs, sinceMs } = this.#next;
      this.#next = undefined;
      const document: StoredWitness = { version: 1, verifierKey, note, restoredMs, sinceMs };
      const bytes = Buffer.from(JSON.stringify(document));
      await writeFileAtomic(this.#path, bytes, 0o600).catch((error: unknown) =>
        this.#events.checkpointNotWritten(error),
      );
    }
    this.#writing = undefined;
  }
}

/** @throws LogError, TypeError */
function parseStored(document: unknown): WitnessState {
  const { version, verifierKey, note, restoredMs, sinceMs } = document as StoredWitness;
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  if (!isSize(sinceMs) || !isSize(restoredMs + 1)) throw new TypeError("expected numbers");
  const checkpoint = openCheckpoint(note, [parseVerifierKey(verifierKey)]);
  return { verifierKey, note, checkpoint, restoredMs, sinceMs };
}
