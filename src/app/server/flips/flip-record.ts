/** What holds of one flip. A change of it is in the log and in the store before it is in force, and one is made at a time. */

import { isOpenToAll, stagesOf, type Flip } from "../../../core/flip/flip.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import type { FlipRegister } from "./flip-register.ts";

export interface FlipRecordDependencies {
  readonly register: Pick<FlipRegister, "change">;
  /** It is durable, and in force when this returns. */
  readonly onStep: (after: Flip, before: Flip) => void;
}

export class FlipRecord {
  readonly #dependencies: FlipRecordDependencies;
  readonly #turns = new OneAtATime();
  #flip: Flip;
  #orders = 0;

  constructor(flip: Flip, { register, onStep }: FlipRecordDependencies) {
    this.#flip = flip;
    this.#dependencies = { register, onStep };
  }

  get flip(): Flip {
    return this.#flip;
  }

  /** None is under way, and none waits for its turn. */
  get isIdle(): boolean {
    return this.#orders === 0;
  }

  /** Nothing changes it meanwhile but what this does. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#orders += 1;
    try {
      return await this.#turns.run(work);
    } finally {
      this.#orders -= 1;
    }
  }

  /** In a turn only. @param names of the target's workloads @throws LogError; whatever SQLite throws */
  async change(next: Flip, names: () => readonly string[]): Promise<void> {
    const { register, onStep } = this.#dependencies;
    const before = this.#flip;
    await register.change(next, joining(before, next, names));
    this.#flip = next;
    onStep(next, before);
  }

  async idle(): Promise<void> {
    await this.#turns.idle();
  }
}

/** Whom the last stage opens, for the log: it keeps no names. */
function joining(before: Flip, next: Flip, names: () => readonly string[]): readonly string[] {
  if (before.opened.length === next.opened.length || !isOpenToAll(next)) return [];
  const stageOf = stagesOf(before);
  return names().filter((name) => stageOf(name) === undefined);
}
