/** Who may enter the data directory, and read what in it is nobody else's. */

import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { FileFact } from "../../../core/doctor/check-server.ts";

/** Roots and checkpoints are for everybody. */
const secret = /\.(?:db|db-wal|db-shm|sock|key)$|^keys?$|^endpoints\.json$/;
const filesMax = 256;
const asideBegin = "evidence.db.aside-";

export interface DataFiles {
  readonly files: readonly FileFact[];
  /** Names of evidence that was damaged. */
  readonly aside: readonly string[];
}

/** @throws what keeps it from being listed */
export async function readDataFiles(dataDir: string): Promise<DataFiles> {
  const names = await readdir(dataDir);
  const paths = names.filter((name) => secret.test(name)).slice(0, filesMax);
  const found = await Promise.all(paths.map((name) => factOf(join(dataDir, name))));
  const directory = await factOf(dataDir);
  const isWhole = (name: string): boolean => !/-(?:wal|shm)$/.test(name);
  return {
    files: [...directory, ...found.flat()],
    aside: names.filter((name) => name.startsWith(asideBegin) && isWhole(name)),
  };
}

/** Nothing of one that is gone meanwhile. */
async function factOf(path: string): Promise<readonly FileFact[]> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return [];
  return [{ path, mode: stats.mode & 0o777, isOurs: stats.uid === process.getuid?.() }];
}
