/** What is in a backup, for people and for programs. */

import type { BackupContents } from "../../edge/backup/backup-contents.ts";
import type { Context } from "./command.ts";
import { formatRelative, formatTimestamp } from "./format.ts";
import { printable } from "./text.ts";

export interface BackupValue {
  readonly version: string;
  readonly createdAt: string;
  readonly trustDomain: string;
  readonly epoch: number;
  readonly logSize: number;
  readonly checkpoint: string;
  readonly validCertificates: number;
  readonly denials: number;
}

export function backupValue(contents: BackupContents): BackupValue {
  const { manifest, validCertificates, denials } = contents;
  return {
    version: manifest.version,
    createdAt: formatTimestamp(manifest.createdAtMs),
    trustDomain: manifest.trustDomain,
    epoch: manifest.epoch,
    logSize: manifest.log.size,
    checkpoint: manifest.log.checkpoint,
    validCertificates,
    denials,
  };
}

/** A line for each; the checkpoint by its root. */
export function backupTable(
  { file, ...value }: BackupValue & { readonly file: string },
  { nowMs }: Pick<Context, "nowMs">,
): string {
  const [, , root = ""] = value.checkpoint.split("\n");
  const age = formatRelative(Date.parse(value.createdAt), nowMs());
  const lines = [
    ["backup", file],
    ["made", `${value.createdAt} (${age}) by portcullis ${value.version}`],
    ["trust domain", `${value.trustDomain}, epoch ${value.epoch}`],
    ["log", `${value.logSize} entries, root ${root}`],
    ["certificates", `${value.validCertificates} valid`],
    ["denials", `${value.denials} in force`],
  ] as const;
  return lines.map(([name, text]) => `${`${name}:`.padEnd(14)}${printable(text)}\n`).join("");
}
