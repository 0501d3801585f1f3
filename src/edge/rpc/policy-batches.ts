/** Policies and reports of them go in messages that the other side can take. */

import { batchesWithin } from "../../core/batches.ts";

/** The mesh port takes messages of 256 KiB, and there is more to a message than what is counted. */
const policyMessageBytesMax = 204_800;

/** Each below the limit, unless it is a single one that is not. */
export function batchesOf<T>(all: readonly T[], octetsOf: (each: T) => number): T[][] {
  return batchesWithin(all, policyMessageBytesMax, octetsOf);
}
