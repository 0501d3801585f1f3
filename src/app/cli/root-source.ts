/** Where a new root comes from, as flags: the server's own key, files on its machine, or an offline root. */

import { resolve } from "node:path";
import { newKeyTypes } from "../../edge/ca/key-file.ts";
import type { RootSource } from "../../edge/rpc/root-command.ts";
import { UsageError } from "./usage-error.ts";

interface KeyTypeFlag {
  readonly type: "string";
  readonly valueName: string;
  readonly help: string;
  readonly choices: typeof newKeyTypes;
  readonly notes: readonly string[];
}

export const keyTypeFlag: KeyTypeFlag = {
  type: "string",
  valueName: "TYPE",
  help: "type of the new key",
  choices: newKeyTypes,
  notes: ["default as configured"],
};

export interface SourceFlags {
  readonly "key-type": string | undefined;
  readonly "from-dir": string | undefined;
  readonly "csr-for-offline-root"?: boolean;
}

/** As flags again. */
export function sourceWords({
  keyType,
  fromDir,
  csrForOfflineRoot,
}: RootSource): readonly string[] {
  return [
    keyType === undefined ? [] : ["--key-type", keyType],
    fromDir === undefined ? [] : ["--from-dir", fromDir],
    csrForOfflineRoot === true ? ["--csr-for-offline-root"] : [],
  ].flat();
}

/** @param verb its words. @throws UsageError where more than one source is named */
export function rootSource(verb: string, flags: SourceFlags): RootSource {
  const { "key-type": keyType, "from-dir": fromDir } = flags;
  const isOffline = flags["csr-for-offline-root"] === true;
  if (fromDir !== undefined && (keyType !== undefined || isOffline)) {
    const other = isOffline ? "csr-for-offline-root" : "key-type";
    throw new UsageError(
      "usage-invalid-value",
      `--from-dir: expected no --${other} with it: the directory has a CA already`,
      { hint: `portcullis help ${verb}` },
    );
  }
  return {
    ...(keyType !== undefined && { keyType }),
    // The server has a directory of its own to resolve against.
    ...(fromDir !== undefined && { fromDir: resolve(fromDir) }),
    ...(isOffline && { csrForOfflineRoot: true }),
  };
}
