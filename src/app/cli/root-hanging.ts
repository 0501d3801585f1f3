/** How much hangs on a root, in words. */

import { signedElsewhereName } from "../../core/roll/laggard.ts";
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
  const waived = holders !== undefined && holders.waived > 0 ? `, ${holders.waived} waived` : "";
  return `${counted(leaves, "certificate")}${ofThem} ${hang(leaves)} on its root${lostOf(holders)}${last}${waived}`;
}

/** In few words, by the same count. */
export function hangingCount(
  holders: Pick<HoldersValue, "unexpired" | "waived" | "named">,
): string {
  const leaves = leavesOf(holders);
  const waived = holders.waived > 0 ? `, ${holders.waived} waived` : "";
  return `${counted(leaves, "certificate")} ${hang(leaves)} on the old root${lostOf(holders)}${waived}`;
}

function hang(count: number): string {
  return count === 1 ? "hangs" : "hang";
}

/** Of a class that is named here nobody knows how many it is. */
function lostOf(holders: Pick<HoldersValue, "named"> | undefined): string {
  const classes = holders?.named.filter(({ kind }) => kind === "class") ?? [];
  return classes
    .map(({ name }) =>
      name === signedElsewhereName
        ? ", beside those that were signed elsewhere"
        : ", beside those that do not stand in the log",
    )
    .join("");
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
