/** What there is beside a target, as values. */

import type { Flip } from "../../../core/flip/flip.ts";
import type { OtherDecision } from "../../../core/flip/other-decisions.ts";
import type { Holds } from "../../../core/policy/holds.ts";

export interface FlipUnderWay {
  readonly flip: Flip;
  /** Workloads that refuse plaintext. */
  readonly strict: number;
  /** Those that could. */
  readonly workloads: number;
}

export interface TargetSurroundings {
  /** Nothing of the target can be flipped beside them. */
  readonly flips: readonly FlipUnderWay[];
  readonly others: readonly OtherDecision[];
  readonly holds: Holds;
  /** A flip has workloads of the target, and not all of them refuse plaintext. */
  readonly isMoving: boolean;
}
