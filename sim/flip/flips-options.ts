/** What flips in a simulated server go by, and what they set off. */

import type { Flip } from "../../src/core/flip/flip.ts";
import type { Hold } from "../../src/core/policy/holds.ts";
import type { FlipSight } from "./flip-sight.ts";
import type { WriteOf } from "./flip-write.ts";

export interface FlipsOptions extends WriteOf {
  readonly sight: FlipSight;
  readonly hold: (holds: readonly Hold[]) => void;
  /** A flip waits for evidence of these. */
  readonly hurry: (flip: number, workloads: readonly string[]) => void;
  readonly nowMs: () => number;
  readonly later: (ms: number, work: () => void) => void;
  /** How long an answer takes. */
  readonly delayMs: () => number;
  /** Whoever looks from outside: a flip is durable. @param before as it was */
  readonly onDurable: (flip: Flip, before: Flip | undefined) => void;
}
