/** What a flip waits for, in words: who waits for the same thing is named together. */

import type { FlipValue, FlipWaitValue, FlipWorkloadValue } from "./mtls-flip-value.ts";
import { firstOf } from "./text.ts";

export interface WaitWords {
  /** `evidence of shop/api-1, shop/api-2 and 8 more` */
  readonly names: string;
  readonly detail: string;
}

/** Whoever has a line of its own needs no other. */
export function waitWordsOf(
  { waits }: FlipValue,
  late: readonly FlipWorkloadValue[],
): readonly WaitWords[] {
  const told = new Set(late.map(({ name }) => name));
  const left = waits.filter(({ kind, name }) => {
    if (kind === "window") return false;
    return !((kind === "proxy" || kind === "connections") && told.has(name));
  });
  const groups = Map.groupBy(left, ({ kind, detail }) => JSON.stringify([kind, detail]));
  return Array.from(groups.values(), wordsOf);
}

const awaited: ReadonlyMap<string, string> = new Map([
  ["object", "the object"],
  ["evidence", "evidence of"],
  ["verdict", "the verdict"],
]);

/** Before what is said of them: both are to be seen in a narrow terminal. */
const namedMax = 2;

function wordsOf(group: readonly FlipWaitValue[]): WaitWords {
  const kind = group[0]?.kind ?? "";
  const detail = group[0]?.detail ?? "";
  const names = group.flatMap(({ name }) => (name === "" ? [] : [name]));
  return {
    names: [awaited.get(kind) ?? "", firstOf(names, namedMax)].filter(isSaid).join(" "),
    detail,
  };
}

/** On one line. */
export function waitText({ names, detail }: WaitWords): string {
  return [names, detail].filter(isSaid).join(": ");
}

function isSaid(part: string): boolean {
  return part !== "";
}
