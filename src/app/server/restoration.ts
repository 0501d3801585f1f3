/**
 * The first start of a directory that was restored: the log says so before anything else is added to it, agents are heard,
 * and once the log says what was lost, the server is like any other. `core/backup/restored-start` decides.
 */

import { BackupError } from "../../core/backup/backup-error.ts";
import {
  decideRestored,
  restoredEvent,
  restoredState,
  withWitnessed,
  type KnownCheckpoint,
  type RestoredState,
} from "../../core/backup/restored-start.ts";
import type { NoteVerifier } from "../../core/log/note-key.ts";
import { readMarker, removeMarker } from "../../edge/backup/restore-marker-file.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import type { LogEvent } from "./log/log-keeper.ts";
import type { RestoreRecords } from "./restore-records.ts";

export interface RestorationDependencies {
  readonly dataDir: string;
  /** Of the log. */
  readonly verifier: NoteVerifier;
  /** Durable when it resolves. */
  readonly record: (event: LogEvent) => Promise<void>;
  readonly records: RestoreRecords;
  /** Of agents' bundles the backup knows nothing. Called before the restore is recorded, again after a crash. */
  readonly onRestored: () => void;
  readonly maxTtlMs: () => number;
  /** How long agents may take to connect. */
  readonly waitMs: number;
  readonly log: Logger;
}

export interface Witnessing {
  /** The newest checkpoint of this log that an agent has come with. */
  readonly newestSeen: () => KnownCheckpoint | undefined;
  readonly onSettled: () => void;
}

/** A suspended machine's timers sleep; what came meanwhile is looked at soon enough. */
const lookIntervalMs = 250;

export class Restoration implements Disposable {
  readonly #dependencies: RestorationDependencies;
  #state: RestoredState | undefined;
  #recordedSize: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  private constructor(dependencies: RestorationDependencies, state: RestoredState | undefined) {
    this.#dependencies = dependencies;
    this.#state = state;
  }

  /**
   * Before anything else is added to the log; does nothing in a directory that was not restored.
   * @throws BackupError `restore-marker-malformed`; LogError, PrivateFileError
   */
  static async begin(dependencies: RestorationDependencies): Promise<Restoration> {
    const { dataDir, verifier, log } = dependencies;
    const marker = await readMarker(dataDir);
    if (marker === undefined) return new Restoration(dependencies, undefined);
    const state = restoredState(marker, verifier);
    const restoration = new Restoration(dependencies, state);
    const hint = "denials that are newer than the backup are not in it: `portcullis deny list`";
    const fields = { backupAtMs: marker.backupAtMs, logSize: state.backup.checkpoint.size, hint };
    log.warn({ event: "restored", ...fields }, "this directory was restored from a backup");
    if (dependencies.records.find(state)) restoration.#recordedSize = state.backup.checkpoint.size;
    else {
      dependencies.onRestored();
      await restoration.#record(state);
    }
    if (marker.newest !== "") await restoration.#settle(state);
    return restoration;
  }

  /** Until then nothing is signed for workloads, and no agent is shown the log. */
  get isSettled(): boolean {
    return this.#state === undefined;
  }

  /** @throws BackupError `restore-unsettled` while nothing is signed for workloads */
  assertSettled(): void {
    if (this.isSettled) return;
    const message = "this server was restored, and hears first what its agents know of the log";
    throw new BackupError("restore-unsettled", message, { hint: "try again soon" });
  }

  /** Once agents can connect. */
  hear({ newestSeen, onSettled }: Witnessing): void {
    if (this.#state === undefined) return;
    const { waitMs, log } = this.#dependencies;
    log.warn({ event: "restored-waiting", waitMs }, "agents are asked what they know of the log");
    const startedAt = performance.now();
    const look = async (): Promise<void> => {
      if (this.#state === undefined || this.#isOver) return;
      const state = withWitnessed(this.#state, newestSeen());
      this.#state = state;
      const waitedMs = performance.now() - startedAt;
      if (decideRestored(state, { waitedMs, waitMs }).kind === "settle") {
        await this.#settle(state);
        onSettled();
      }
    };
    const again = (): void => {
      if (this.#state === undefined || this.#isOver) return;
      this.#timer = setTimeout(run, lookIntervalMs);
    };
    const failed = (error: unknown): void => {
      log.error({ event: "restored-failed", error }, "the restore could not be recorded");
    };
    const run = (): void => void look().catch(failed).finally(again);
    run();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #settle(state: RestoredState): Promise<void> {
    if (state.newest.checkpoint.size !== this.#recordedSize) await this.#record(state);
    await removeMarker(this.#dependencies.dataDir);
    this.#state = undefined;
    const [from, to] = [state.backup.checkpoint.size, state.newest.checkpoint.size];
    this.#dependencies.log.warn({ event: "restored-settled", from, to }, "signing goes on");
  }

  async #record(state: RestoredState): Promise<void> {
    const { record, records, maxTtlMs } = this.#dependencies;
    await record(restoredEvent(state, maxTtlMs()));
    this.#recordedSize = state.newest.checkpoint.size;
    records.find(state);
  }
}
