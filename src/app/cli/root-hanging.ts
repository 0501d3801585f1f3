/** How much hangs on a root, in words. */

import { formatRelative } from "./format.ts";
import { lastEndOf, leavesOf, workloadsOf } from "./root-judgement.ts";
import type { HoldersValue } from "./root-value.ts";

/** And how long. */
export function hangingText(holders: HoldersValue | undefined, nowMs: number): string {
  const leaves = leavesOf(holders);
  const named = workloadsOf(holders);
  const workloads = new Set(named.map(({ identity }) => identity)).size;
  // Of more than a server names, nobody knows.
  const atLeast = named.length < leaves ? "at least " : "";
  const ofThem = named.length === 0 ? "" : ` of ${atLeast}${counted(workloads, "workload")}`;
  const lastEndsAt = lastEndOf(holders);
  const last =
    lastEndsAt === "" ? "" : `, the last ends ${formatRelative(Date.parse(lastEndsAt), nowMs)}`;
  const hang = leaves === 1 ? "hangs" : "hang";
  return `${counted(leaves, "certificate")}${ofThem} ${hang} on its root${last}`;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
