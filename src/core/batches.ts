/** Many things in messages that the other side can take. */

/** Each of at most that size, unless it is a single one that is larger. */
export function batchesWithin<T>(
  all: readonly T[],
  sizeMax: number,
  sizeOf: (each: T) => number,
): T[][] {
  const batches: T[][] = [];
  let size = Infinity;
  for (const each of all) {
    const added = sizeOf(each);
    if (size + added > sizeMax) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)?.push(each);
    size += added;
  }
  return batches;
}
