/** What a schedule does, as two numbers for each choice: they mean something in any state of the world, so that any of them may be left out. */

import { agentFaults } from "../actions/agent-faults.ts";
import type { Action } from "../actions/action.ts";
import { backup } from "../actions/backup.ts";
import { operator } from "../actions/operator.ts";
import { passing } from "../actions/passing.ts";
import { serverFaults } from "../actions/server-faults.ts";
import { waivers } from "../actions/waivers.ts";
import { workloadFaults } from "../actions/workload-faults.ts";
import type { Random } from "./random.ts";

export interface Choice {
  readonly action: Action;
  /** All chance that the action and what it sets off take. */
  readonly chance: number;
}

const groups: readonly (readonly Action[])[] = [
  passing,
  operator,
  serverFaults,
  agentFaults,
  workloadFaults,
  waivers,
  backup,
];
const all = groups.flat();
/** Without these nothing ever happens. */
const indispensable: ReadonlySet<Action> = new Set([...passing, ...all.filter(isNeeded)]);

function isNeeded({ name }: Action): boolean {
  return name === "envoy-start" || name === "go-on" || name.includes("heal");
}

/** How much more often that happens on which a run has its eye. */
const focusWeight = 6;

/** A deck to draw from: each schedule leaves half of the faults out, and does the others the more often. */
export class Deck {
  readonly #cards: Action[] = [];
  readonly #random: Random;

  /** @param focus names of actions, which then are in each schedule, and most others are not */
  constructor(random: Random, focus: ReadonlySet<string>) {
    this.#random = random;
    for (const action of all) {
      const isChosen = focus.has(action.name);
      const isLeftOut = random.below(focus.size > 0 ? 4 : 2) > 0;
      if (isLeftOut && !isChosen && !indispensable.has(action)) continue;
      const weight = isChosen ? action.weight * focusWeight : action.weight;
      for (let left = weight; left > 0; left--) this.#cards.push(action);
    }
  }

  draw(): Choice {
    const action = this.#cards[this.#random.below(this.#cards.length)];
    if (action === undefined) throw new Error("an empty deck");
    return { action, chance: this.#random.next() };
  }
}
