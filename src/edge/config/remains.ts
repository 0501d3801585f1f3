/** What a process that was killed in the middle of `writeFileAtomic` has left beside a file. It may be a key. */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const pattern = /^\.(.+)\.[0-9a-f]{16}\.tmp$/;

/**
 * For whoever is alone in a directory: nobody may be writing there.
 * @param names of the files; absent where the whole directory is ours
 * @throws what the file system says
 */
export async function removeRemains(directory: string, names?: readonly string[]): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const of = pattern.exec(entry.name)?.[1];
    if (of === undefined || entry.isDirectory() || names?.includes(of) === false) continue;
    await rm(join(directory, entry.name), { force: true });
  }
}
