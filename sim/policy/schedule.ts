/** One schedule: a mesh of a seed, choices, and then rest. Half of the faults are left out of each, so that the others meet more often. */

import { Random } from "../run/random.ts";
import { shrink } from "../run/shrink.ts";
import type { PolicyAction } from "./action.ts";
import { policyActions } from "./actions.ts";
import { PolicyWorld } from "./world.ts";

const choicesOfSchedule = 40;
const indispensable: ReadonlySet<string> = new Set(["steps", "connect", "mode of a port"]);

interface Choice {
  readonly action: PolicyAction;
  readonly chance: number;
}

interface PolicyOutcome {
  readonly events: number;
  readonly choices: readonly Choice[];
  /** What did not hold; undefined when all did. */
  readonly fault: unknown;
}

export function runPolicySchedule(seed: number, schedule: number): PolicyOutcome {
  const random = new Random(seed, schedule);
  const deck = policyActions.flatMap((action) => {
    const isIn = indispensable.has(action.name) || random.below(2) === 0;
    return Array.from({ length: isIn ? action.weight : 0 }, () => action);
  });
  const choices = Array.from({ length: choicesOfSchedule }, () => {
    const action = deck[random.below(deck.length)];
    if (action === undefined) throw new Error("an empty deck");
    return { action, chance: random.next() };
  });
  return { ...run(seed, schedule, choices), choices };
}

/** The fewest choices that lead to the same fault, and what happens in them. */
export function describePolicyFault(
  seed: number,
  schedule: number,
  outcome: PolicyOutcome,
): string {
  const fewest = shrink(outcome.choices, (fewer) => run(seed, schedule, fewer).fault !== undefined);
  const lines: string[] = [];
  const { fault } = run(seed, schedule, fewest, (text) => lines.push(text));
  return [
    `VIOLATION: ${textOf(fault)}`,
    `seed ${seed}, schedule ${schedule}: ${fewest.length} of ${outcome.choices.length} choices`,
    ...lines,
  ].join("\n");
}

export function textOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  return fault.name === "Violation" ? fault.message : (fault.stack ?? fault.message);
}

function run(
  seed: number,
  schedule: number,
  choices: readonly Choice[],
  say?: (text: string) => void,
): Pick<PolicyOutcome, "events" | "fault"> {
  const random = new Random(seed, ~schedule);
  const world = new PolicyWorld(random);
  if (say !== undefined) world.say = (text) => say(`    ${text}`);
  try {
    for (const { action, chance } of choices) {
      random.restart(chance);
      say?.(`- ${action.name}`);
      action.apply(world);
    }
    random.restart(0);
    say?.("- settle");
    world.settle();
    return { events: world.events, fault: undefined };
  } catch (fault) {
    return { events: world.events, fault };
  }
}
