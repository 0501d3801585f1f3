/** A flip that was taken back: who takes plaintext again, who does not yet, and what ends that. */

import { statusNext } from "./mtls-flip-next.ts";
import type { FlipValue, FlipWorkloadValue } from "./mtls-flip-value.ts";
import { backWords, stateWords } from "./mtls-flip-workloads.ts";
import type { NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

/** `2 of 3 workloads take plaintext; not yet: payments/api-1 (silent: its agent is away)`; "" where all of it does */
export function notBackText(flip: FlipValue): string {
  const late = notBackOf(flip);
  if (late.length === 0) return "";
  const names = firstOf(late.map((each) => `${each.name} (${stateWords(each)})`));
  return `${backWords(flip.workloads)}; not yet: ${names}`;
}

/** By state and absence, why it is so and what ends it. */
const ends: ReadonlyMap<string, string> = new Map([
  [
    "away",
    "its agent is away: it still refuses plaintext until it is back; nothing else is to be done here",
  ],
  [
    "unheard",
    "not heard since the server's start: it may refuse plaintext until its agent is back; nothing else is to be done here",
  ],
  [
    "envoy-away",
    "its Envoy is away: it takes plaintext when it is back; nothing else is to be done here",
  ],
  [
    "pod-gone",
    "its pod is gone, and no node has said that it ended: it may refuse plaintext until its certificates end; nothing else is to be done here",
  ],
  [
    "earlier-pod",
    "an earlier pod of this name is gone, and no node has said that it ended: it may refuse plaintext until its certificates end; the new one has its own state",
  ],
  ["refused", "its Envoy refuses what it was sent, and still refuses plaintext; what it says"],
]);

/** A line for each reason, and the command that shows it. */
export function notBackNext(
  flip: FlipValue,
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  const byReason = Map.groupBy(notBackOf(flip), ({ state, absence }) => absence || state);
  return Array.from(byReason, ([reason, all]) => {
    const names = firstOf(all.map(({ name }) => name));
    const why = ends.get(reason) ?? "it has not acknowledged that it takes plaintext";
    return { ...statusNext(flip, server), why: `${names}: ${why}` };
  });
}

function notBackOf({ notBack, workloads }: FlipValue): readonly FlipWorkloadValue[] {
  const names = new Set(notBack);
  return workloads.filter(({ name }) => names.has(name));
}
