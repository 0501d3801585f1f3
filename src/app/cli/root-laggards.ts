/** Whom a rotation waits for, for people: a line for each, and one for all certificates of a workload; the last to end first. */

import { formatRelative } from "./format.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { pasteable, type ServerTarget } from "./server-target.ts";
import { formatTable } from "./table.ts";
import { printable } from "./text.ts";

/** How many are named where nobody asks for all of them. */
export const namedDefault = 20;
/** More than a server names. */
export const namedAll = 1_000_000;

export interface LaggardView {
  readonly nowMs: number;
  readonly colour: boolean;
  readonly target: ServerTarget;
  /** A line for each certificate, and no end to them. */
  readonly isEach?: boolean;
}

interface Row {
  readonly who: string;
  readonly identity: string;
  readonly reason: string;
  readonly endsAt: string;
  readonly detail: string;
  readonly count: number;
}

/** @param lagging all of them, of whom the first are known; empty for nobody */
export function laggardTable(
  laggards: readonly LaggardValue[],
  lagging: number,
  { nowMs, colour, target, isEach = false }: LaggardView,
): string {
  if (laggards.length === 0 && lagging === 0) return "";
  const rows = isEach ? laggards.map((each) => rowOf(each, [each])) : workloadRows(laggards);
  const shown = isEach ? rows : rows.slice(0, namedDefault);
  const cells = shown.map((row) => [
    row.who,
    row.identity,
    row.reason,
    row.endsAt === "" ? "" : formatRelative(Date.parse(row.endsAt), nowMs),
  ]);
  const hasIdentity = cells.some((each) => each[1] !== "");
  const columns = <T>(each: readonly T[]): readonly T[] =>
    hasIdentity ? each : each.filter((_, index) => index !== 1);
  const table =
    formatTable(
      columns(["who", "identity", "reason", "ends"]).map((header) => ({ header })),
      cells.map((each) => columns(each)),
      { colour },
    ) + detailLines(shown);
  const more = lagging - shown.reduce((sum, { count }) => sum + count, 0);
  if (more <= 0) return table;
  return isEach
    ? `${table}and ${more} more, whom the server does not name\n`
    : `${table}and ${more} more: ${pasteable(target, "portcullis root status --all")}\n`;
}

/** Below the table, which would be too wide with them: each once, and by name where those of a reason differ. */
function detailLines(rows: readonly Row[]): string {
  const told = rows.filter(({ detail }) => detail !== "");
  const byReason = Map.groupBy(told, ({ reason }) => reason);
  const lines = Array.from(byReason, ([reason, [first, ...others]]) => {
    const isOne = others.every(({ detail }) => detail === first?.detail);
    if (first !== undefined && isOne) return [`${reason}: ${first.detail}`];
    return [first, ...others].flatMap((row) => (row ? [`${row.who}: ${row.detail}`] : []));
  });
  return lines
    .flat()
    .map((line) => `  ${printable(line)}\n`)
    .join("");
}

/** The first few, for one line. */
export function laggardNames(laggards: readonly LaggardValue[], lagging: number): string {
  const first = laggardLines(laggards, 3).map(({ who, reason }) => `${who} (${reason})`);
  const more = lagging > 0 && first.length > 0 ? countLeft(laggards, lagging, 3) : 0;
  return more > 0 ? `${first.join(", ")} and ${more} more` : first.join(", ");
}

/** Each in a few words; of certificates the workload, since not all of them may be named. */
export function laggardLines(
  laggards: readonly LaggardValue[],
  max: number,
): readonly { readonly who: string; readonly reason: string; readonly endsAt: string }[] {
  return workloadRows(laggards)
    .slice(0, max)
    .map(({ who, identity, reason, endsAt, count }) => ({
      who: identity === "" ? who : `certificate${count === 1 ? "" : "s"} of ${identity}`,
      reason,
      endsAt,
    }));
}

/** How many of all are not among the first lines. */
export function countLeft(laggards: readonly LaggardValue[], lagging: number, max: number): number {
  const shown = workloadRows(laggards).slice(0, max);
  return lagging - shown.reduce((sum, { count }) => sum + count, 0);
}

function workloadRows(laggards: readonly LaggardValue[]): readonly Row[] {
  const groups = Map.groupBy(laggards, ({ kind, name, identity, reason }) =>
    isCertificate(kind) ? `${kind} ${reason} ${identity}` : name,
  );
  const rows = Array.from(groups.values(), (group) =>
    group.slice(0, 1).map((first) => rowOf(first, group)),
  );
  return rows.flat().toSorted((a, b) => byEnd(a.endsAt, b.endsAt));
}

function rowOf(first: LaggardValue, group: readonly LaggardValue[]): Row {
  const { name, identity, reason, detail } = first;
  return {
    who: group.length === 1 ? name : `${group.length} certificates`,
    // Most names end in it.
    identity: name.endsWith(identity) ? "" : identity,
    reason,
    endsAt: group.map(({ endsAt }) => endsAt).toSorted(byEnd)[0] ?? "",
    detail,
    count: group.length,
  };
}

function isCertificate(kind: string): boolean {
  return kind === "leaf" || kind === "certificate";
}

/** What does not end by itself lasts longest. RFC 3339 in UTC sorts as text. */
function byEnd(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? -1 : 1;
  return a > b ? -1 : 1;
}
