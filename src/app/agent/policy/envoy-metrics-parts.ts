/**
 * One flush out of the messages that it comes in: an Envoy with many clusters tells thousands of families, a batch in each message, and
 * nothing says which is the last. So a flush is taken for whole when it has as many parts as the one before, and is told again if more
 * come.
 */

import type { Flush } from "./draining.ts";
import type { EnvoyMetrics } from "./envoy-metrics-message.ts";

/** Of one flush; what a message may have is limited besides. */
const partsMax = 64;

/** In each flush of an Envoy that tells everything, once it has had a listener. */
const alwaysThere = "listener_manager.total_listeners_warming";

export class FlushParts {
  #takenMs: number | undefined;
  #count = 0;
  #countBefore = 1;
  #stats = new Map<string, number>();

  /** @returns undefined while it is not whole. @throws RangeError for a flush without an end */
  add({ takenMs, stats }: EnvoyMetrics): Flush | undefined {
    if (takenMs === undefined) return undefined;
    if (takenMs !== this.#takenMs) {
      this.#countBefore = Math.max(1, this.#count);
      this.#count = 0;
      this.#stats = new Map();
      this.#takenMs = takenMs;
    }
    this.#count += 1;
    if (this.#count > partsMax) throw new RangeError(`expected at most ${partsMax} messages`);
    for (const [name, value] of stats) this.#stats.set(name, value);
    if (this.#count < this.#countBefore || !this.#stats.has(alwaysThere)) return undefined;
    return { takenMs, stats: new Map(this.#stats) };
  }
}
