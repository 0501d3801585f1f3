/** Only one process builds at a time. The lock is SQLite's on a file: the kernel gives it back when its owner dies. */

import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 500;

/** @param onWait called once if somebody else has it */
export async function buildLock(path: string, onWait: () => void): Promise<Disposable> {
  const database = new DatabaseSync(path, { timeout: 0 });
  for (let tries = 0; ; tries += 1) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (tries === 0) onWait();
      await sleep(pollMs);
    }
  }
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === sqliteBusy;
}
