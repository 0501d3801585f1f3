/** The server's side of its witnesses, put together. */

import type { Checkpoint } from "../../../core/log/checkpoint.ts";
import { parseVerifierKey } from "../../../core/log/note-key.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import type { Facts } from "../../../edge/store/facts.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import { lostUntilMs, type RestoreRecords } from "../restore-records.ts";
import { LogAlarms } from "./log-alarms.ts";
import { LogContradictions } from "./log-contradictions.ts";
import type { LogKeeper } from "./log-keeper.ts";
import { LogLeaves } from "./log-leaves.ts";
import { LogProofs } from "./log-proofs.ts";
import { LogWitnessing } from "./log-witnessing.ts";
import { recordUnlogged } from "./unlogged.ts";

export interface WitnessesDependencies {
  readonly log: LogStore;
  readonly events: MeshEvents;
  readonly keeper: Pick<LogKeeper, "eventAt" | "time">;
  readonly facts: Facts;
  readonly records: Pick<RestoreRecords, "add" | "list">;
  /** The longest that anything is signed for now, or was, as far as is known. */
  readonly maxTtlSeconds: () => number;
  /** False after a restore, until the log says what was lost. */
  readonly isSettled: () => boolean;
}

export interface Witnesses {
  /** To be disposed before the log is closed. */
  readonly witnessing: LogWitnessing;
  readonly alarms: LogAlarms;
  readonly contradictions: LogContradictions;
}

const contradicted =
  "an agent has a checkpoint of this log's key that this log does not go on from";

/** @throws LogError for a log that names no key; what SQLite throws */
export function buildWitnesses(dependencies: WitnessesDependencies): Witnesses {
  const { log, events, keeper, facts, records, isSettled } = dependencies;
  const { reader, writer } = log;
  const verifier = parseVerifierKey(reader.verifierKey());
  // Alarms are entries.
  const nowMs = (): number => keeper.time.nowMs();
  const onProven = (kind: string): void => facts.remember("log-alarm", kind);
  const alarms = new LogAlarms({ writer, events, nowMs, onProven });
  const proofs = new LogProofs({ reader, verifier, restores: () => records.list() });
  const leaves = new LogLeaves(reader);
  const contradictions = new LogContradictions({
    ...dependencies,
    recall: () => facts.recall("log-contradictions"),
    remember: (text) => facts.remember("log-contradictions", text),
    lostUntilMs: () => lostUntilMs(records.list()),
    record: (possibleUntilMs) =>
      recordUnlogged({ reader, keeper, records }, { reason: contradicted, possibleUntilMs }),
    onFailed: (error) => events.logAlarmNotWritten(error),
    nowMs,
  });
  const onContradiction = (held: Checkpoint): void => contradictions.saw(held);
  const witnessing = new LogWitnessing({
    proofs,
    leaves,
    alarms,
    events,
    onContradiction,
    isSettled,
  });
  return { witnessing, alarms, contradictions };
}
