/** Policies and reports of them go in messages that the other side can take. */

/** The mesh port takes messages of 256 KiB, and there is more to a message than what is counted. */
const policyMessageBytesMax = 204_800;

/** Each below the limit, unless it is a single one that is not. */
export function batchesOf<T>(all: readonly T[], octetsOf: (each: T) => number): T[][] {
  const batches: T[][] = [];
  let octets = Infinity;
  for (const each of all) {
    const added = octetsOf(each);
    if (octets + added > policyMessageBytesMax) {
      batches.push([]);
      octets = 0;
    }
    batches.at(-1)?.push(each);
    octets += added;
  }
  return batches;
}
