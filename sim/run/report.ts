/** A violation for people: what did not hold, and the fewest events that lead there. */

import { Coverage } from "./coverage.ts";
import { textOf } from "./fault.ts";
import { replay, type Outcome } from "./schedule.ts";
import { shrink } from "./shrink.ts";

export function describeFault(seed: number, schedule: number, { choices, fault }: Outcome): string {
  const fails = (fewer: readonly Outcome["choices"][number][]): boolean => {
    return kindOf(replay(seed, schedule, new Coverage(), fewer).fault) === kindOf(fault);
  };
  const shrunk = shrink(choices, fails);
  const lines: string[] = [];
  const again = replay(seed, schedule, new Coverage(), shrunk, (text) => lines.push(`  ${text}`));
  return [
    `VIOLATION: ${textOf(again.fault)}`,
    `seed ${seed}, schedule ${schedule}: ${shrunk.length} of ${choices.length} choices, ${again.events} events`,
    ...lines,
    `again: npm run sim -- --seed ${seed} --schedule ${schedule}`,
  ].join("\n");
}

function kindOf(fault: unknown): string | undefined {
  return fault instanceof Error ? fault.name : undefined;
}
