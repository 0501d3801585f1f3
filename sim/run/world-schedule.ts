/** One schedule: a world of a seed, choices, and then rest. Half of the faults are left out of each, so that the others meet more often. */

import { textOf } from "./fault.ts";
import { Random } from "./random.ts";
import { shrink } from "./shrink.ts";

export interface SimulatedWorld {
  readonly random: Random;
  readonly events: number;
  /** What has come of it, and how often. */
  readonly counts?: ReadonlyMap<string, number>;
  say: (text: string) => void;
  /** All are well again and answer: it comes to where it is to come. */
  readonly settle: () => void;
}

/** One thing that can happen. It does what fits, or nothing. */
export interface WorldAction<World> {
  readonly name: string;
  /** How often it is chosen. */
  readonly weight: number;
  readonly apply: (world: World) => void;
}

export interface WorldKind<World extends SimulatedWorld> {
  readonly create: (random: Random) => World;
  readonly actions: readonly WorldAction<World>[];
  /** Names of actions without which nothing ever happens. */
  readonly indispensable: ReadonlySet<string>;
  /** Of a schedule. */
  readonly choices: number;
}

interface Choice<World> {
  readonly action: WorldAction<World>;
  /** All chance that the action and what it sets off take. */
  readonly chance: number;
}

const noCounts: ReadonlyMap<string, number> = new Map();

export interface ScheduleOutcome<World> {
  readonly events: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly choices: readonly Choice<World>[];
  /** What did not hold; undefined when all did. */
  readonly fault: unknown;
}

export class WorldSchedules<World extends SimulatedWorld> {
  readonly #kind: WorldKind<World>;

  constructor(kind: WorldKind<World>) {
    this.#kind = kind;
  }

  run(seed: number, schedule: number): ScheduleOutcome<World> {
    const { actions, indispensable, choices: count } = this.#kind;
    const random = new Random(seed, schedule);
    const deck = actions.flatMap((action) => {
      const isIn = indispensable.has(action.name) || random.below(2) === 0;
      return Array.from({ length: isIn ? action.weight : 0 }, () => action);
    });
    const choices = Array.from({ length: count }, () => {
      const action = deck[random.below(deck.length)];
      if (action === undefined) throw new Error("an empty deck");
      return { action, chance: random.next() };
    });
    return { ...this.#run(seed, schedule, choices), choices };
  }

  /** The fewest choices that lead to the same fault, and what happens in them. */
  describe(seed: number, schedule: number, { choices }: ScheduleOutcome<World>): string {
    const fewest = shrink(choices, (fewer) => this.#run(seed, schedule, fewer).fault !== undefined);
    const lines: string[] = [];
    const { fault } = this.#run(seed, schedule, fewest, (text) => lines.push(text));
    return [
      `VIOLATION: ${textOf(fault)}`,
      `seed ${seed}, schedule ${schedule}: ${fewest.length} of ${choices.length} choices`,
      ...lines,
    ].join("\n");
  }

  #run(
    seed: number,
    schedule: number,
    choices: readonly Choice<World>[],
    say?: (text: string) => void,
  ): Omit<ScheduleOutcome<World>, "choices"> {
    const random = new Random(seed, ~schedule);
    const world = this.#kind.create(random);
    if (say !== undefined) world.say = (text) => say(`    ${text}`);
    const outcome = (fault: unknown) => {
      return { events: world.events, counts: world.counts ?? noCounts, fault };
    };
    try {
      for (const { action, chance } of choices) {
        random.restart(chance);
        say?.(`- ${action.name}`);
        action.apply(world);
      }
      random.restart(0);
      say?.("- settle");
      world.settle();
      return outcome(undefined);
    } catch (fault) {
      return outcome(fault);
    }
  }
}

export function chosen<T>(
  { random }: Pick<SimulatedWorld, "random">,
  all: readonly T[],
): T | undefined {
  return all[random.below(Math.max(1, all.length))];
}
