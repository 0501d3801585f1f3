/** Many small things done by somebody else: a number of them at a time, in order. */

/** So many keep an API server on two cores busy. */
const lanes = 32;

/** @throws what the first that fails throws */
export async function inFlight<T>(
  count: number,
  work: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const done: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) done[index] = await work(index);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done;
}
