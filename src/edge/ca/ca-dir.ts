/**
 * Reads the files of an operator's CA from a directory, as one generation of it: the kubelet replaces a mounted Secret
 * by moving the link `..data`, so that link is resolved once. Certificates of one generation and the key of the next
 * would look like an attack. Keys are found by name here and read elsewhere.
 */

import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { CA_FILE_BYTES_MAX, CA_KEY_FILES, type CaFiles } from "../../core/ca/ca-layout.ts";
import { errnoOf } from "../config/errno.ts";
import { fileError, readBoundedFile, withinDeadline } from "../config/private-files.ts";

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

/** Under whatever names and links. Not where one of them cannot be looked at: who reads it says why. */
export async function isSameDirectory(one: string, other: string): Promise<boolean> {
  try {
    const [a, b] = await withinDeadline(one, Promise.all([stat(one), stat(other)]));
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

interface Generation {
  readonly path: string;
  readonly names: ReadonlySet<string>;
}

async function openGeneration(directory: string): Promise<Generation> {
  try {
    return await withinDeadline(directory, listGeneration(directory));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") {
      throw new CaFilesError("ca-files-missing", directory, "no such directory", { cause });
    }
    throw unreadable(directory, directory, cause);
  }
}

async function listGeneration(directory: string): Promise<Generation> {
  const isMountedSecret = (await readdir(directory)).includes("..data");
  const path = await realpath(isMountedSecret ? join(directory, "..data") : directory);
  return { path, names: new Set(await readdir(path)) };
}

async function readFile(path: string, name: string, bytesMax: number): Promise<Uint8Array> {
  try {
    return await readBoundedFile(path, bytesMax);
  } catch (cause) {
    throw unreadable(name, path, cause);
  }
}

/** @param name as the operator knows what is at `path` */
export function unreadable(name: string, path: string, cause: unknown): CaFilesError {
  const { code, message, hint } = fileError(path, cause);
  return new CaFilesError(
    code === "file-too-large" ? "ca-file-too-large" : "ca-files-unreadable",
    name,
    message.slice(`${path}: `.length),
    { cause, ...(hint !== undefined && { hint }) },
  );
}
