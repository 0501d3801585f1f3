/** `portcullis restore` */

import { isOperator } from "../../../core/backup/restore-marker.ts";
import { readPassphrase } from "../../../edge/ca/key-file.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { restoreBackup, type Restored } from "../../../edge/backup/restore-backup.ts";
import { backupTable, backupValue } from "../backup-value.ts";
import { readCheckpoints } from "../checkpoint-files.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatTimestamp } from "../format.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { UsageError } from "../usage-error.ts";

export const restore: Command = defineCommand({
  description:
    "Makes a data directory out of a backup. All of it is decrypted and checked before anything is " +
    "written, and the directory must be empty or absent.\n\n" +
    "What was signed after the backup is not in it, and stays valid until it expires. At its first start " +
    "the server hears what its agents know of the log, for --restore-wait, and records what is lost; " +
    "only then it signs for workloads. With a checkpoint of an agent (witness.json in its state " +
    "directory) it need not wait.",
  flags: {
    "data-dir": {
      type: "string",
      valueName: "DIR",
      help: "the new data directory",
      required: true,
    },
    "passphrase-file": {
      type: "string",
      valueName: "FILE",
      help: "the passphrase that the backup was made with",
      required: true,
    },
    "newest-checkpoint": {
      type: "string",
      valueName: "FILE",
      help: "a checkpoint that an agent holds: its witness.json, or the note alone",
      multiple: true,
    },
    operator: claimFlags.operator,
    ...outputFlag,
  },
  positionals: [{ name: "FILE", help: "the backup" }],
  examples: [
    {
      what: "Into the place of a lost directory, as the server's user",
      command:
        "sudo -u portcullis portcullis restore portcullis.backup \\\n" +
        "  --data-dir /var/lib/portcullis --passphrase-file backup-passphrase",
    },
  ],
  async run(context, flags, [file = ""]) {
    const { signal, nowMs, stderr } = context;
    const operator = checkedOperator(operatorName(flags.operator, context.env));
    const newer = await readCheckpoints(flags["newest-checkpoint"], signal);
    const passphrase = await readPassphrase(flags["passphrase-file"], (path, bytesMax) =>
      readPipedFile(path, bytesMax, signal),
    );
    const restored = await restoreBackup({
      file,
      dataDir: flags["data-dir"],
      passphrase: passphrase ?? new Uint8Array(),
      newer,
      operator,
      nowMs: nowMs(),
      signal,
    });
    const value = { ...backupValue(restored), file, newestCheckpoint: restored.newest };
    await writeOutput(context, flags.output, value, () => backupTable(value, context));
    stderr.write(nextSteps(restored, flags["data-dir"]));
    return ExitCode.ok;
  },
});

/** It is kept for the first start of the server, which could not ask again. */
function checkedOperator(name: string): string {
  if (isOperator(name)) return name;
  const message = "--operator: expected at most 60 printable characters";
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help restore" });
}

function nextSteps({ manifest, newest }: Restored, dataDir: string): string {
  const madeAt = formatTimestamp(manifest.createdAtMs);
  const wait =
    newest === ""
      ? "it waits for its agents before it signs for workloads (--restore-wait)"
      : "it need not wait for its agents: it was given what they know";
  return (
    `warning: certificates signed and denials added after ${madeAt} are not in it: run ` +
    `\`portcullis deny list --data-dir ${dataDir}\` when it runs, and add again what is missing\n` +
    `next: portcullis server --data-dir ${dataDir} ...; ${wait}\n`
  );
}
