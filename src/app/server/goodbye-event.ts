/** The goodbye of an agent as an event of the log: a restart knows from it who is gone. */

import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { LeavingAgent } from "../../core/roll/leaf-owners.ts";
import type { LogReader } from "../../edge/log/log-reader.ts";
import type { LogEvent } from "./log-keeper.ts";

export interface LoggedGoodbye {
  readonly agent: LeavingAgent;
  readonly index: number;
  readonly timeMs: number;
}

const nodeAgent = "node agent";

export function goodbyeEvent({ agentId, spiffeId, isNodeAgent }: LeavingAgent): LogEvent {
  const reason = isNodeAgent ? nodeAgent : "";
  return { type: "goodbye", subject: spiffeId, reason, detail: agentId };
}

/** The octet of `kind` in an entry: few are events, and only those are decoded. */
const kindAt = 1;
const eventKind = 4;

export function* goodbyesFrom(
  reader: Pick<LogReader, "entries">,
  from: number,
  limit: number,
): Generator<LoggedGoodbye> {
  for (const { index, data } of reader.entries(from, limit)) {
    if (data[kindAt] !== eventKind) continue;
    const entry = decodeEntry(data);
    if (entry.kind !== "event" || entry.type !== "goodbye") continue;
    const { subject: spiffeId, reason, detail: agentId, timeMs } = entry;
    yield { agent: { agentId, spiffeId, isNodeAgent: reason === nodeAgent }, index, timeMs };
  }
}
