/**
 * What the log says where certificates may be alive that stand in no entry of its own: another server has had the trust, or another copy of
 * this directory. Until the last of them has expired, no gate of a rotation opens by this log alone, as after a restore. Unlike a restore it
 * excuses nothing: the range is empty, and no checkpoint lies in it.
 */

import { encodeRestored } from "../../../core/log/restored.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import type { RestoreRecords } from "../restore-records.ts";
import type { LogKeeper } from "./log-keeper.ts";

export interface UnloggedDependencies {
  readonly reader: Pick<LogReader, "head">;
  readonly keeper: Pick<LogKeeper, "eventAt">;
  readonly records: Pick<RestoreRecords, "add">;
}

export interface Unlogged {
  /** How that is known. */
  readonly reason: string;
  /** Until when something may be valid that was signed so, Unix ms. */
  readonly possibleUntilMs: number;
}

/** Durable when it resolves. @throws LogError; whatever SQLite throws: it is still owed then */
export async function recordUnlogged(
  { reader, keeper, records }: UnloggedDependencies,
  { reason, possibleUntilMs }: Unlogged,
): Promise<void> {
  const { size, checkpoint } = reader.head();
  const index = await keeper.eventAt({
    type: "restored",
    subject: `from entry ${size} on`,
    reason,
    detail: encodeRestored({ from: size, to: size, checkpoint, possibleUntilMs }),
  });
  records.add(index);
}
