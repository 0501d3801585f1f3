/** Names for the details of events in the log, a line each: an event has room for so many. */

/** Octets. */
const detailMax = 4_000;

/** @param head a line that each batch begins with; "" for none */
export function inBatches(names: readonly string[], head = ""): readonly string[] {
  const batches: string[] = [];
  let batch = head;
  for (const name of names) {
    const longer = batch === "" ? name : `${batch}\n${name}`;
    if (batch !== head && Buffer.byteLength(longer) > detailMax) {
      batches.push(batch);
      batch = head === "" ? name : `${head}\n${name}`;
    } else batch = longer;
  }
  return [...batches, batch];
}
