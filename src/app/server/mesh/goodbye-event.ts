/** The goodbye of an agent to an identity as an event of the log: a restart knows from it who is gone. */

import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { LeavingAgent } from "../../../core/roll/leaf-owners.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import type { LogEvent } from "../log/log-keeper.ts";

export interface LoggedGoodbye {
  readonly agent: LeavingAgent;
  readonly timeMs: number;
}

const reasonPattern = /^certificates up to entry (0|[1-9]\d{0,15})$/;

export function goodbyeEvent({ agent, spiffeId, lastIndex }: LeavingAgent): LogEvent {
  const reason = `certificates up to entry ${lastIndex}`;
  return { type: "goodbye", subject: spiffeId, reason, detail: agent };
}

/** The octet of `kind` in an entry: few are events, and only those are decoded. */
const kindAt = 1;
const eventKind = 4;

export function* goodbyesFrom(
  reader: Pick<LogReader, "entries">,
  from: number,
  limit: number,
): Generator<LoggedGoodbye> {
  for (const { data } of reader.entries(from, limit)) {
    if (data[kindAt] !== eventKind) continue;
    const entry = decodeEntry(data);
    if (entry.kind !== "event" || entry.type !== "goodbye") continue;
    const { subject: spiffeId, reason, detail: agent, timeMs } = entry;
    const lastIndex = reasonPattern.exec(reason)?.[1];
    if (lastIndex === undefined) continue;
    yield { agent: { spiffeId, agent, lastIndex: Number(lastIndex) }, timeMs };
  }
}
