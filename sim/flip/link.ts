/** A simulated mesh stream: what is on its way arrives in order, later, or never. */

import type { Random } from "../run/random.ts";
import type { Timeline } from "./timeline.ts";

export class Link {
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** By then all that was sent before has arrived. */
  #arrival: Record<"up" | "down", number> = { up: 0, down: 0 };
  isCut = false;
  /** Policies that were sent on it. */
  policies = 0;
  /** Nothing arrives before. */
  stalledUntilMs = 0;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  send(direction: "up" | "down", arrive: () => void): void {
    const delayMs = 1 + this.#random.below(30);
    const { nowMs } = this.#timeline;
    const atMs = Math.max(nowMs + delayMs, this.#arrival[direction], this.stalledUntilMs);
    this.#arrival[direction] = atMs;
    this.#timeline.at(atMs, () => {
      if (!this.isCut) arrive();
    });
  }
}
