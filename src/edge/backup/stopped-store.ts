/** `portcullis.db` of a directory whose server is stopped: locked as the server locks it, so that none starts meanwhile. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BackupError } from "../../core/backup/backup-error.ts";
import { ensurePrivateDir } from "../config/private-files.ts";
import { migrations } from "../store/migrations.ts";
import { StoreError, unreadable } from "../store/store-error.ts";

export interface StoppedStore extends Disposable {
  readonly copyTo: (path: string) => void;
}

/** Changes nothing in it. @throws BackupError `backup-nothing`; StoreError; PrivateFileError */
export async function lockStoppedStore(dataDir: string): Promise<StoppedStore> {
  const path = join(dataDir, "portcullis.db");
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    throw new BackupError("backup-nothing", `${dataDir} has no portcullis.db`, {
      hint:
        "name the --data-dir of a server; of one in a cluster it is in the pod: " +
        "kubectl exec -n portcullis-system portcullis-0 -- portcullis backup ...",
    });
  }
  await ensurePrivateDir(dataDir);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT");
    assertKnown(database);
    const locked = database;
    return {
      copyTo: (target) => void locked.prepare("VACUUM INTO ?").run(target),
      [Symbol.dispose]: () => locked.close(),
    };
  } catch (error) {
    database?.close();
    throw error instanceof StoreError ? error : unreadable(path, error);
  }
}

function assertKnown(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version <= migrations.length) return;
  throw new StoreError(
    "store-newer",
    `expected schema ${migrations.length} at most, got ${version}`,
    {
      hint: "this directory was written by a newer portcullis: run that one",
    },
  );
}
