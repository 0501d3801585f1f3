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

/** A deck to draw from: each schedule leaves half of the faults out, and does the others the more often. */
export class Deck {
  readonly #cards: Action[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    for (const action of all) {
      if (!indispensable.has(action) && random.below(2) === 0) continue;
      for (let left = action.weight; left > 0; left--) this.#cards.push(action);
    }
  }

  draw(): Choice {
    const action = this.#cards[this.#random.below(this.#cards.length)];
    if (action === undefined) throw new Error("an empty deck");
    return { action, chance: this.#random.next() };
  }
}
