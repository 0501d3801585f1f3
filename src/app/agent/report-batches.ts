/** Reports go to the server in messages that it can take. */

/** The server takes messages of 64 KiB; as JSON, evidence is longer than it will be on the wire. */
const batchLengthMax = 48 * 1_024;

export function inBatches<T>(all: readonly T[], lengthOf: (each: T) => number): T[][] {
  const batches: T[][] = [];
  let length = Infinity;
  for (const each of all) {
    const added = lengthOf(each);
    if (length + added > batchLengthMax) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)?.push(each);
    length += added;
  }
  return batches;
}

export function textOf(value: object | undefined): string {
  const plain = (_: string, each: unknown) => (typeof each === "bigint" ? String(each) : each);
  return JSON.stringify(value, plain) ?? "";
}
