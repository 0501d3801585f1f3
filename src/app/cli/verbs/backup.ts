/** `portcullis backup` */

import { resolve } from "node:path";
import { BackupError } from "../../../core/backup/backup-error.ts";
import type { BackupContents } from "../../../edge/backup/backup-contents.ts";
import type { BackupSource } from "../../../edge/backup/backup-writer.ts";
import { assertTarget, createBackup } from "../../../edge/backup/create-backup.ts";
import { readPassphrase } from "../../../edge/ca/key-file.ts";
import { EndpointsError, readEndpoints } from "../../../edge/config/endpoints.ts";
import { defaultDevDataDir } from "../../../edge/config/paths.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { backupTable, backupValue } from "../backup-value.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { printable } from "../text.ts";
import { packageVersion } from "../version-info.ts";

const passphraseCharactersMin = 12;

export const backup: Command = defineCommand({
  description:
    "Writes what a server keeps into one file: the trust state, the signing keys, join tokens, denials " +
    "and the transparency log, as they were at one moment. The server may run meanwhile. The file is " +
    "encrypted under the passphrase, read back and checked to the last entry before it gets its name.\n\n" +
    "An operator's own CA (--ca-dir), the key passphrase and the configuration are not in it.\n\n" +
    "It goes by the data directory alone, and never over the network. Of a server in a cluster that is in the pod: " +
    "kubectl exec -n portcullis-system portcullis-0 -- portcullis backup ...",
  flags: {
    "passphrase-file": {
      type: "string",
      valueName: "FILE",
      help: `the passphrase, at least ${passphraseCharactersMin} characters`,
      required: true,
    },
    "data-dir": connectionFlags["data-dir"],
    force: { type: "boolean", help: "replace FILE if it is there" },
    operator: claimFlags.operator,
    ...outputFlag,
  },
  positionals: [{ name: "FILE", help: "where the backup goes" }],
  examples: [
    {
      what: "Of a running server, every night",
      command:
        "portcullis backup /mnt/backup/portcullis-$(date +%F).backup \\\n" +
        "  --data-dir /var/lib/portcullis --passphrase-file /etc/portcullis/backup-passphrase",
    },
  ],
  async run(context, flags, [file = ""]) {
    const { signal, nowMs } = context;
    const target = { file, force: flags.force };
    await assertTarget(target);
    const passphrase = await readLongPassphrase(flags["passphrase-file"], signal);
    const dataDir = resolve(flags["data-dir"] ?? defaultDevDataDir(context.env));
    const server = await runningServer(dataDir);
    const options = { ...target, dataDir, passphrase, nowMs: nowMs(), signal };
    const operator = operatorName(flags.operator, context.env);
    const contents =
      server === undefined
        ? await fromStopped(dataDir, context, (source) => createBackup(source, options))
        : await fromServer(server, operator, context, (source) => createBackup(source, options));
    const value = { file: resolve(file), ...backupValue(contents) };
    await writeOutput(context, flags.output, value, () => backupTable(value, context));
    context.stderr.write(
      `next: keep its passphrase elsewhere; portcullis restore ${printable(file)} ...\n`,
    );
    return ExitCode.ok;
  },
});

type Make = (source: BackupSource) => Promise<BackupContents>;

/** gRPC is loaded only where there is somebody to talk to. */
async function fromServer(
  address: string,
  operator: string,
  { signal }: Context,
  make: Make,
): Promise<BackupContents> {
  const { openServerBackup } = await import("../../../edge/rpc/backup-client.ts");
  using source = await openServerBackup(address, operator, signal);
  return await make(source);
}

async function fromStopped(
  dataDir: string,
  { nowMs }: Context,
  make: Make,
): Promise<BackupContents> {
  const { lockStoppedStore } = await import("../../../edge/backup/stopped-store.ts");
  const { DatabaseCopies } = await import("../../../edge/backup/database-copies.ts");
  using store = await lockStoppedStore(dataDir);
  const version = packageVersion();
  await using copies = await DatabaseCopies.make({
    dataDir,
    copyStore: store.copyTo,
    version,
    nowMs,
  });
  return await make({ manifest: copies.manifest, data: copies.data() });
}

/** The address of its admin socket; undefined where none runs. */
async function runningServer(dataDir: string): Promise<string | undefined> {
  try {
    return (await readEndpoints(dataDir)).admin;
  } catch (error) {
    const isStopped =
      error instanceof EndpointsError &&
      (error.code === "endpoints-missing" || error.code === "endpoints-stale");
    if (isStopped) return undefined;
    throw error;
  }
}

async function readLongPassphrase(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const passphrase = await readPassphrase(path, (file, bytesMax) =>
    readPipedFile(file, bytesMax, signal),
  );
  const { length } = Array.from(Buffer.from(passphrase ?? []).toString("utf8"));
  if (passphrase !== undefined && length >= passphraseCharactersMin) return passphrase;
  const message = `expected a passphrase of at least ${passphraseCharactersMin} characters, got ${length}`;
  throw new BackupError("backup-passphrase-short", `${path}: ${message}`, {
    hint: "whoever gets the file may try for ever: openssl rand -base64 24",
  });
}
