/** Callers of a verdict as a namespace's plan goes by them: each name once. */

import type { Caller } from "../../../core/evidence/caller.ts";
import type { PlanCaller } from "../../../core/flip/flip-plan.ts";

export function planCallers(callers: readonly Caller[]): readonly PlanCaller[] {
  const byName = new Map(
    // Who was seen, too, is named for that.
    callers
      .toSorted((a, b) => Number(isTold(b)) - Number(isTold(a)))
      .map((each) => [
        each.name,
        { name: each.name, isMeshed: isMeshed(each), isTold: isTold(each) },
      ]),
  );
  return [...byName.values()];
}

function isTold({ holder }: Caller): boolean {
  return holder.kind === "configuration";
}

/** @returns undefined for whom nobody knows */
function isMeshed({ holder }: Caller): boolean | undefined {
  if (holder.kind === "workload") return holder.isMeshed;
  // Its proxy is told to send plaintext, or has shown a certificate of the mesh.
  return holder.kind === "configuration" || holder.kind === "identity" ? true : undefined;
}
