/**
 * What the log of a server says that has taken over the trust of another: certificates may be alive that stand in no log of its own. Until
 * the last of them has expired, no gate of a rotation opens by this log alone, as after a restore.
 */

import { encodeRestored } from "../../../../core/log/restored.ts";
import type { LogReader } from "../../../../edge/log/log-reader.ts";
import type { LogKeeper } from "../../log/log-keeper.ts";
import type { RestoreRecords } from "../../restore-records.ts";

export interface AdoptedLogOptions {
  readonly reader: Pick<LogReader, "head">;
  readonly keeper: Pick<LogKeeper, "eventAt">;
  readonly records: Pick<RestoreRecords, "add">;
  /** Until when something may be valid that the other one has signed, Unix ms. */
  readonly possibleUntilMs: number;
}

/** @throws LogError; whatever SQLite throws: it is still owed then */
export async function recordAdopted(options: AdoptedLogOptions): Promise<void> {
  const { reader, keeper, records, possibleUntilMs } = options;
  const { size, checkpoint } = reader.head();
  const index = await keeper.eventAt({
    type: "restored",
    subject: `from entry ${size} on`,
    reason: "the trust state was taken over from the cluster's Secret",
    detail: encodeRestored({ from: size, to: size, checkpoint, possibleUntilMs }),
  });
  records.add(index);
}
