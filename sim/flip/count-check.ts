/** No connection counts twice, however often a report of it was sent. */

import { Violation } from "../world/violation.ts";
import type { FlipWorld } from "./world.ts";

export function assertCounted({ truth, disk }: FlipWorld): void {
  const made = new Map<string, number>();
  for (const { pod, port, address, tellings } of truth.calls) {
    const key = `${pod}:${port} from ${address}`;
    made.set(key, (made.get(key) ?? 0) + tellings);
  }
  const counted = new Map<string, number>();
  for (const { pod, port, address, count } of disk.told.callers()) {
    const key = `${pod}:${port} from ${address}`;
    counted.set(key, (counted.get(key) ?? 0) + count);
  }
  for (const [key, count] of counted) {
    const most = made.get(key) ?? 0;
    if (count > most) throw new Violation(`${count} connections to ${key} count, of ${most}`);
  }
}
