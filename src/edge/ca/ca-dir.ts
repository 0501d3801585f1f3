/**
 * Reads the files of an operator's CA from a directory, as one generation of it: the kubelet replaces a mounted Secret
 * by moving the link `..data`, so that link is resolved once. Certificates of one generation and the key of the next
 * would look like an attack. Keys are found by name here and read elsewhere.
 */

import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { CA_FILE_BYTES_MAX, CA_KEY_FILES, type CaFiles } from "../../core/ca/ca-layout.ts";
import { errnoOf } from "../config/errno.ts";
import { PrivateFileError, readBoundedFile } from "../config/private-files.ts";

export interface CaDir extends CaFiles {
  /** Where the files of this generation are. */
  readonly path: string;
}

/** @throws CaFilesError */
export async function readCaDir(directory: string): Promise<CaDir> {
  const { path, names } = await openGeneration(directory);
  const contents = new Map<string, Uint8Array>();
  for (const [name, bytesMax] of CA_FILE_BYTES_MAX) {
    if (names.has(name)) contents.set(name, await readFile(join(path, name), name, bytesMax));
  }
  const keyFiles = [...CA_KEY_FILES].filter((name) => names.has(name));
  return { directory, path, contents, keyFiles };
}

async function openGeneration(
  directory: string,
): Promise<{ readonly path: string; readonly names: ReadonlySet<string> }> {
  try {
    const isMountedSecret = (await readdir(directory)).includes("..data");
    const path = await realpath(isMountedSecret ? join(directory, "..data") : directory);
    return { path, names: new Set(await readdir(path)) };
  } catch (cause) {
    const missing = errnoOf(cause) === "ENOENT";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CaFilesError(
      missing ? "ca-files-missing" : "ca-files-unreadable",
      directory,
      missing ? "no such directory" : reason,
      { cause },
    );
  }
}

async function readFile(path: string, name: string, bytesMax: number): Promise<Uint8Array> {
  try {
    return await readBoundedFile(path, bytesMax);
  } catch (cause) {
    if (!(cause instanceof PrivateFileError)) throw cause;
    const isTooLarge = cause.code === "file-too-large";
    const reason = isTooLarge ? `expected at most ${bytesMax} bytes, got more` : cause.message;
    const code = isTooLarge ? "ca-file-too-large" : "ca-files-unreadable";
    throw new CaFilesError(code, name, reason, { cause });
  }
}
