/** Removes a file that has a key, for good: a directory that is not synchronised may bring it back after a power failure. */

import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** @throws what the file system says */
export async function removeForGood(path: string): Promise<void> {
  await rm(path, { force: true });
  await using directory = await open(dirname(path), "r");
  await directory.sync();
}
