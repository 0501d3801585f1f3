/**
 * A directory with its missing parents. Not by Node's recursive mkdir, which never ends below a parent that is there and yet
 * answers ENOENT, as `/proc` does.
 */

import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./errno.ts";

/**
 * Leaves alone what is there.
 * @param mode of each directory that is made
 * @throws what the system says
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await makeLast(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== "ENOENT" || parent === path) throw error;
    await makeDirectory(parent, mode);
    await makeLast(path, mode);
  }
}

async function makeLast(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Some file systems do not say EEXIST of what is there.
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isDirectory() !== true) throw error;
  }
}
