/** A process that restores: `node restore-process.ts FILE DATA_DIR PASSPHRASE`. */

import { restoreBackup } from "../../src/edge/backup/restore-backup.ts";

const [file = "", dataDir = "", passphrase = ""] = process.argv.slice(2);

await restoreBackup({
  file,
  dataDir,
  passphrase: Buffer.from(passphrase),
  newer: new Map(),
  operator: "",
  nowMs: Date.now(),
  signal: new AbortController().signal,
});
