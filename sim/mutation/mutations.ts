/**
 * Planted bugs, one for each gate and transition: exact text of production code, and of the simulator's interpreter where production's
 * cannot run in it. Each must be found; one that no longer applies fails its test, and is to be written anew.
 */

import { agentMutations } from "./agent-mutations.ts";
import { gateMutations } from "./gate-mutations.ts";
import { machineMutations } from "./machine-mutations.ts";
import { serverMutations } from "./server-mutations.ts";

export interface Mutation {
  /** What the bug does. */
  readonly name: string;
  /** From the root of the project. */
  readonly file: string;
  /** Is there exactly once. */
  readonly before: string;
  readonly after: string;
  /** Actions of a schedule that bring it to light. */
  readonly focus?: readonly string[];
  /** Of schedules that bring it to light soon; others do later. */
  readonly seed?: number;
  /** It takes minutes by every seed that was tried: found with PORTCULLIS_LONG=1 only. */
  readonly isLong?: boolean;
}

export const mutations: readonly Mutation[] = [
  ...gateMutations,
  ...machineMutations,
  ...agentMutations,
  ...serverMutations,
];
