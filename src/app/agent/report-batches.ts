/** Reports go to the server in messages that it can take. */

import { batchesWithin } from "../../core/batches.ts";

/** The server takes messages of 64 KiB; as JSON, evidence is longer than it will be on the wire. */
const batchLengthMax = 48 * 1_024;

export function inBatches<T>(all: readonly T[], lengthOf: (each: T) => number): T[][] {
  return batchesWithin(all, batchLengthMax, lengthOf);
}

export function textOf(value: object | undefined): string {
  const plain = (_: string, each: unknown) => (typeof each === "bigint" ? String(each) : each);
  return JSON.stringify(value, plain) ?? "";
}
