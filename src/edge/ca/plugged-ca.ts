/**
 * An operator's CA, from a directory to what can sign: its certificates verified, and its key known to be theirs. Either
 * all of it is good, or the error names the file that is not.
 */

import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { parseCaFiles, type PluggedCa } from "../../core/ca/ca-files.ts";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { caMaterial, keyFileOf } from "../../core/ca/ca-layout.ts";
import { PrivateFileError } from "../config/private-files.ts";
import { readCaDir, unreadable, type CaDir } from "./ca-dir.ts";
import { CaKeyError } from "./ca-key-error.ts";
import { keyFileWarnings, readKeyFile, readPassphrase } from "./key-file.ts";
import { assertKeyOf } from "./private-key.ts";

export interface LoadCaOptions {
  /** Of an encrypted key. */
  readonly passphraseFile?: string | undefined;
  readonly nowMs: number;
}

export interface LoadedCa {
  readonly ca: PluggedCa;
  readonly key: KeyObject;
}

/** @throws CaFilesError, CaKeyError, PrivateFileError */
export async function loadPluggedCa(
  directory: string,
  { passphraseFile, nowMs }: LoadCaOptions,
): Promise<LoadedCa> {
  const files = await readCaDir(directory);
  const ca = parseCaFiles(files, nowMs);
  const { key, path, name } = await readKeyOf(files, passphraseFile);
  assertKeyOf(key, ca.signingSpki, name, caMaterial(files).signing.name);
  const warnings = [...ca.warnings, ...(await keyFileWarnings(path))];
  return { ca: Object.freeze({ ...ca, warnings }), key };
}

/**
 * The same where the key is in a token. A key file beside it is refused: which of the two signs must not be a guess.
 *
 * @throws CaFilesError, CaKeyError
 */
export async function loadKeylessCa(directory: string, nowMs: number): Promise<PluggedCa> {
  const files = await readCaDir(directory);
  const ca = parseCaFiles(files, nowMs);
  const [keyFile] = files.keyFiles;
  if (keyFile === undefined) return ca;
  throw new CaKeyError(
    "ca-key-elsewhere",
    keyFile,
    "expected no key file, as the key is in a token",
    {
      hint: `take ${keyFile} out of ${directory}, or start without the key's URI`,
    },
  );
}

async function readKeyOf(
  files: CaDir,
  passphraseFile: string | undefined,
): Promise<{ readonly key: KeyObject; readonly path: string; readonly name: string }> {
  const name = keyFileOf(files);
  const path = join(files.path, name);
  if (!files.keyFiles.includes(name)) {
    throw new CaFilesError("ca-files-missing", name, `it is missing in ${files.directory}`, {
      hint: "put it there, or name a key in a token: --ca-key pkcs11:...",
    });
  }
  const passphrase = await readPassphrase(passphraseFile);
  try {
    return { key: await readKeyFile(path, passphrase), path, name };
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    throw unreadable(name, path, error);
  } finally {
    passphrase?.fill(0);
  }
}
