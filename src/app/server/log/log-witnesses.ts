/** The server's side of its witnesses, put together. */

import { parseVerifierKey } from "../../../core/log/note-key.ts";
import type { StoredEntry } from "../../../edge/log/log-reader.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import { LogAlarms } from "./log-alarms.ts";
import { LogLeaves } from "./log-leaves.ts";
import { LogProofs } from "./log-proofs.ts";
import { LogWitnessing } from "./log-witnessing.ts";

export interface WitnessesDependencies {
  readonly log: LogStore;
  readonly events: MeshEvents;
  /** The log's time, Unix ms: alarms are entries. */
  readonly logNowMs: () => number;
  /** Told now and then of an alarm that is proven. */
  readonly onProven: (kind: string) => void;
  /** The `restored` events of the log, the oldest first. */
  readonly restores: () => readonly StoredEntry[];
  /** False after a restore, until the log says what was lost. */
  readonly isSettled: () => boolean;
}

export interface Witnesses {
  /** To be disposed before the log is closed. */
  readonly witnessing: LogWitnessing;
  readonly alarms: LogAlarms;
}

/** @throws LogError for a log that names no key */
export function buildWitnesses(dependencies: WitnessesDependencies): Witnesses {
  const { log, events, logNowMs, onProven, restores, isSettled } = dependencies;
  const { reader, writer } = log;
  const verifier = parseVerifierKey(reader.verifierKey());
  const alarms = new LogAlarms({ writer, events, nowMs: logNowMs, onProven });
  const proofs = new LogProofs({ reader, verifier, restores });
  const leaves = new LogLeaves(reader);
  return { witnessing: new LogWitnessing({ proofs, leaves, alarms, events, isSettled }), alarms };
}
