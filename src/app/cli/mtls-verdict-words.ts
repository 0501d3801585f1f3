/** Words for what a verdict has: the kinds of callers, and what decides nothing and should be known all the same. */

import type { CallerValue, VerdictValue } from "./mtls-verdict-value.ts";
import { othersNote } from "./mtls-surroundings.ts";
import type { CellColour } from "./table.ts";
import { firstOf, printable } from "./text.ts";

export function verdictColour(verdict: string): CellColour {
  if (verdict === "safe") return "green";
  return verdict === "unsafe" ? "red" : "yellow";
}

const holders: ReadonlyMap<string, string> = new Map([
  ["workload", "workload with a proxy"],
  ["unmeshed-workload", "workload without a proxy"],
  ["own-host", "the called proxy's own host"],
  ["several", "several workloads"],
  ["unknown", "unknown"],
  ["identity", "workload of the mesh"],
  ["others", "more than are named"],
  ["configuration", "by configuration"],
]);

/** In a table, where what is long is cut in its middle. */
const shortHolders: ReadonlyMap<string, string> = new Map([
  ["workload", "past its proxy"],
  ["unmeshed-workload", "no proxy"],
  ["own-host", "own host"],
  ["several", "several"],
  ["identity", "of the mesh"],
  ["others", "unnamed"],
  ["configuration", "configured"],
]);

export function holderCell({ holder }: Pick<CallerValue, "holder">): string {
  return shortHolders.get(holder) ?? holder;
}

export function holderWords({ holder }: Pick<CallerValue, "holder">): string {
  return holders.get(holder) ?? holder;
}

export function kindWords({ kind, refused }: Pick<CallerValue, "kind" | "refused">): string {
  return refused ? `${kind} (refused)` : kind;
}

/** What decides nothing, and what nobody should find out by himself. */
export function noteLines(value: VerdictValue): string {
  const { strictAlready, withoutProxy, decidedByOthers, flips } = value;
  const bare = firstOf(withoutProxy);
  const have = withoutProxy.length === 1 ? "has" : "have";
  const lines = [
    ...flips.map(({ detail }) => detail),
    ...(strictAlready ? [`STRICT already: a flip would change nothing; ${refusedNow(value)}`] : []),
    ...(decidedByOthers.length === 0 ? [] : [othersNote(decidedByOthers)]),
    ...(bare === "" ? [] : [`${bare} ${have} no proxy: nobody refuses plaintext there`]),
  ];
  return lines.map((line) => `note: ${printable(line)}\n`).join("");
}

/** A silent proxy may refuse whom it does not tell. */
function refusedNow({ callers, silent }: Pick<VerdictValue, "callers" | "silent">): string {
  const isSeen = callers.length > 0;
  if (silent.length === 0) return isSeen ? "these are refused now" : "nobody is refused now";
  const names = firstOf([...new Set(silent.map(({ name }) => name))]);
  return isSeen
    ? `these are refused now, and by ${names} it is not known who`
    : `whether anybody is refused now is not known of ${names}`;
}
