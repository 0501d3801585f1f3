/** Whom a rotation waits for, as a table. */

import { formatRelative } from "./format.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { formatTable } from "./table.ts";

/** How many are named where nobody asks for all of them. */
export const namedDefault = 20;
/** More than a server has. */
export const namedAll = 1_000_000;

/** @param lagging all of them, of whom the first are known; empty for nobody */
export function laggardTable(
  laggards: readonly LaggardValue[],
  lagging: number,
  nowMs: number,
  colour: boolean,
): string {
  if (laggards.length === 0 && lagging === 0) return "";
  const rows = laggards.map((laggard) => [
    laggard.name,
    // Most names end in the identity.
    laggard.name.endsWith(laggard.identity) ? "" : laggard.identity,
    laggard.reason,
    laggard.endsAt === "" ? "" : formatRelative(Date.parse(laggard.endsAt), nowMs),
    laggard.detail,
  ]);
  const headers = ["who", "identity", "reason", "ends", "detail"];
  const hasIdentity = rows.some((row) => row[1] !== "");
  const shown = <T>(cells: readonly T[]): readonly T[] =>
    hasIdentity ? cells : cells.filter((_, index) => index !== 1);
  const table = formatTable(
    shown(headers).map((header) => ({ header })),
    rows.map((row) => shown(row)),
    { colour },
  );
  const more = lagging - laggards.length;
  return more > 0 ? `${table}and ${more} more (portcullis root status --all)\n` : table;
}

/** The first few by name, for one line. */
export function laggardNames(laggards: readonly LaggardValue[], lagging: number): string {
  const shownMax = 3;
  const names = laggards.slice(0, shownMax).map(({ name, reason }) => `${name} (${reason})`);
  const more = lagging - names.length;
  return more > 0 && names.length > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
}
