/** One schedule: a world of a seed, and choices until enough has happened. */

import { World } from "../world/world.ts";
import type { Coverage } from "./coverage.ts";
import { Deck, type Choice } from "./choice.ts";
import { Random } from "./random.ts";

/** Most schedules are for one rotation, and every eighth for several. */
const eventsMin = (schedule: number): number => (schedule % 8 === 7 ? 1_200 : 240);
/** Where nothing is left to happen. */
const choicesMax = 1_000;

export interface Outcome {
  readonly events: number;
  readonly choices: readonly Choice[];
  /** What did not hold; undefined when all did. */
  readonly fault: unknown;
}

const nothing: ReadonlySet<string> = new Set();

/** @param focus names of actions that are to happen often */
export function runSchedule(
  seed: number,
  schedule: number,
  coverage: Coverage,
  focus: ReadonlySet<string> = nothing,
): Outcome {
  const deck = new Deck(new Random(seed, schedule), focus);
  const choices: Choice[] = [];
  const enough = eventsMin(schedule);
  const next = (events: number): Choice | undefined => {
    if (events >= enough || choices.length >= choicesMax) return undefined;
    const choice = deck.draw();
    choices.push(choice);
    return choice;
  };
  return { ...run(seed, schedule, coverage, next), choices };
}

/** The same world, and these choices only. */
export function replay(
  seed: number,
  schedule: number,
  coverage: Coverage,
  choices: readonly Choice[],
  onEvent?: (text: string) => void,
): Outcome {
  const left = choices.values();
  const next = (): Choice | undefined => left.next().value;
  return { ...run(seed, schedule, coverage, next, onEvent), choices };
}

function run(
  seed: number,
  schedule: number,
  coverage: Coverage,
  next: (events: number) => Choice | undefined,
  onEvent?: (text: string) => void,
): Pick<Outcome, "events" | "fault"> {
  const random = new Random(seed, ~schedule);
  let world: World | undefined;
  try {
    world = new World(random, coverage);
    for (let choice = next(0); choice !== undefined; choice = next(world.events)) {
      random.restart(choice.chance);
      if (onEvent !== undefined) listen(world, onEvent);
      onEvent?.(`- ${choice.action.name}`);
      choice.action.apply(world);
    }
    world.end();
    return { events: world.events, fault: undefined };
  } catch (fault) {
    return { events: world?.events ?? 0, fault };
  }
}

function listen(world: World, onEvent: (text: string) => void): void {
  const say = (text: string): void => onEvent(`    ${text}`);
  world.say = say;
  for (const { workloads } of world.agents) {
    for (const { envoys } of workloads) for (const envoy of envoys) envoy.say = say;
  }
}
