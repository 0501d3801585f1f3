/**
 * An operator's CA as files that were read elsewhere, its key among them: from a directory of the operator's machine, or from a Secret of
 * Istio's. It is held against the same rules as a directory of the server's.
 */

import { join } from "node:path";
import { isIssuedBy, parseCaCertificates } from "../../core/ca/ca-certificate.ts";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { parseCaFiles } from "../../core/ca/ca-files.ts";
import {
  CA_FILE_BYTES_MAX,
  CA_KEY_FILES,
  caMaterial,
  keyFileOf,
  type CaFiles,
} from "../../core/ca/ca-layout.ts";
import { readBoundedFile } from "../config/private-files.ts";
import { readCaDir, unreadable } from "./ca-dir.ts";
import type { LoadedCa } from "./plugged-ca.ts";
import { assertKeyOf, parsePrivateKey } from "./private-key.ts";

export interface SentCa {
  /** For messages: a directory, or a Secret. */
  readonly from: string;
  /** By name, as in a directory. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const keyBytesMax = 64 * 1024;
/** In Istio's layout. */
const signingFile = "ca-cert.pem";
const rootsFile = "root-cert.pem";

/** Of the operator's machine. @throws CaFilesError */
export async function readCaToSend(directory: string): Promise<SentCa> {
  const { path, contents, keyFiles } = await readCaDir(directory);
  const files = new Map(contents);
  for (const name of keyFiles) files.set(name, await readKeyBytes(path, name));
  return { from: directory, files: withOwnRoot(files) };
}

/**
 * What istiod has made for itself has a file of roots that is empty: its signing certificate signs itself, and is the root. Nothing else
 * is guessed.
 */
export function withOwnRoot(
  files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Uint8Array> {
  const signing = files.get(signingFile);
  const roots = Buffer.from(files.get(rootsFile) ?? []);
  if (signing === undefined || roots.toString("latin1").trim() !== "") return files;
  return isOwnRoot(signing) ? new Map([...files, [rootsFile, signing]]) : files;
}

function isOwnRoot(bytes: Uint8Array): boolean {
  try {
    const found = parseCaCertificates({ name: signingFile, bytes });
    return found.length === 1 && found.every((each) => isIssuedBy(each, each));
  } catch (error) {
    // Whoever loads them says what is wrong.
    if (error instanceof CaFilesError) return false;
    throw error;
  }
}

async function readKeyBytes(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readBoundedFile(join(path, name), keyBytesMax);
  } catch (error) {
    throw unreadable(name, join(path, name), error);
  }
}

/**
 * @param passphrase of an encrypted key
 * @throws CaFilesError, CaKeyError
 */
export function loadSentCa(
  sent: SentCa,
  { passphrase, nowMs }: { readonly passphrase: Uint8Array | undefined; readonly nowMs: number },
): LoadedCa {
  const files = caFilesOf(sent);
  const ca = parseCaFiles(files, nowMs);
  const name = keyFileOf(files);
  const pem = sent.files.get(name);
  if (pem === undefined) {
    throw new CaFilesError("ca-files-missing", name, `it is missing in ${sent.from}`, {
      hint: "the key is needed: what it has signed is to be renewed under it",
    });
  }
  const key = parsePrivateKey({ name, pem }, passphrase);
  assertKeyOf(key, ca.signingSpki, name, caMaterial(files).signing.name);
  return { ca, key };
}

/** Without what is none of its files, or too large for one. @throws CaFilesError */
function caFilesOf({ from, files }: SentCa): CaFiles {
  for (const [name, bytes] of files) {
    const max = CA_KEY_FILES.has(name) ? keyBytesMax : CA_FILE_BYTES_MAX.get(name);
    if (max !== undefined && bytes.length <= max) continue;
    const file = name.slice(0, 64);
    if (max === undefined) throw new CaFilesError("ca-file-malformed", file, "no file of a CA");
    const reason = `expected at most ${max} bytes, got ${bytes.length}`;
    throw new CaFilesError("ca-file-too-large", file, reason);
  }
  return {
    directory: from,
    contents: new Map(Array.from(files).filter(([name]) => !CA_KEY_FILES.has(name))),
    keyFiles: [...CA_KEY_FILES].filter((name) => files.has(name)),
  };
}
