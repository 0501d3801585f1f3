/** Words for what a verdict has: the kinds of callers, and what decides nothing and should be known all the same. */

import type { CallerValue, VerdictValue } from "./mtls-verdict-value.ts";
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

export function holderWords({ holder }: Pick<CallerValue, "holder">): string {
  return holders.get(holder) ?? holder;
}

export function kindWords({ kind, refused }: Pick<CallerValue, "kind" | "refused">): string {
  return refused ? `${kind} (refused)` : kind;
}

/** What decides nothing, and what nobody should find out by himself. */
export function noteLines({ strictAlready, withoutProxy, callers }: VerdictValue): string {
  const who = callers.length > 0 ? "these are refused now" : "nobody is refused now";
  const bare = firstOf(withoutProxy);
  const have = withoutProxy.length === 1 ? "has" : "have";
  const lines = [
    ...(strictAlready ? [`STRICT already: a flip would change nothing; ${who}`] : []),
    ...(bare === "" ? [] : [`${bare} ${have} no proxy: nobody refuses plaintext there`]),
  ];
  return lines.map((line) => `note: ${printable(line)}\n`).join("");
}
