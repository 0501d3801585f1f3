/** The file of a CA's private key, and the file of its passphrase: read, and made once. A key that is there is never replaced. */

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { open, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CaWarning } from "../../core/ca/ca-warning.ts";
import { readBoundedFile } from "../config/private-files.ts";
import { errnoOf } from "../config/errno.ts";
import { CaKeyError } from "./ca-key-error.ts";
import { parsePrivateKey } from "./private-key.ts";

export const newKeyTypes = ["p256", "p384", "rsa3072", "rsa4096"] as const;
export type NewKeyType = (typeof newKeyTypes)[number];

const FILE_BYTES_MAX = 64 * 1024;
const PASSPHRASE_BYTES_MAX = 1_024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** @throws CaKeyError, PrivateFileError */
export async function readKeyFile(
  path: string,
  passphrase: Uint8Array | undefined,
): Promise<KeyObject> {
  const pem = await readBoundedFile(path, FILE_BYTES_MAX);
  try {
    return parsePrivateKey({ name: basename(path), pem }, passphrase);
  } finally {
    pem.fill(0);
  }
}

/**
 * The file without the line break that an editor leaves at its end.
 *
 * @param read a verb that asks once may take a pipe. @default a regular file only
 */
export async function readPassphrase(
  path: string | undefined,
  read: typeof readBoundedFile = readBoundedFile,
): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined;
  const bytes = await read(path, PASSPHRASE_BYTES_MAX);
  const withoutBreak = bytes.at(-1) === LINE_FEED ? bytes.subarray(0, -1) : bytes;
  const passphrase =
    withoutBreak.at(-1) === CARRIAGE_RETURN && withoutBreak !== bytes
      ? withoutBreak.subarray(0, -1)
      : withoutBreak;
  if (passphrase.length > 0) return passphrase;
  throw new CaKeyError("ca-key-undecryptable", path, "expected a passphrase, got an empty file");
}

/** A mounted Secret is often open to its group, so this is said and not refused. */
export async function keyFileWarnings(path: string): Promise<readonly CaWarning[]> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return [];
  const found = (mode & 0o777).toString(8).padStart(3, "0");
  const message = `the private key is open to others (mode ${found}): chmod 600, or defaultMode 0400`;
  return [{ code: "ca-key-file-open", file: basename(path), message }];
}

/** @throws CaKeyError `ca-key-exists` */
export async function createKeyFile(
  directory: string,
  keyType: NewKeyType,
  passphrase: Uint8Array | undefined,
): Promise<KeyObject> {
  const path = join(directory, "ca-key.pem");
  const key = makeKey(keyType);
  await writeOnce(path, encodeKey(key, passphrase));
  return key;
}

export function makeKey(keyType: NewKeyType): KeyObject {
  return newKeys[keyType]();
}

const newKeys: Readonly<Record<NewKeyType, () => KeyObject>> = {
  p256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  p384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  rsa3072: () => generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey,
  rsa4096: () => generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey,
};

function encodeKey(key: KeyObject, passphrase: Uint8Array | undefined): Uint8Array {
  const encryption = passphrase && { cipher: "aes-256-cbc", passphrase: Buffer.from(passphrase) };
  return Buffer.from(key.export({ type: "pkcs8", format: "pem", ...encryption }));
}

async function writeOnce(path: string, bytes: Uint8Array): Promise<void> {
  // "wx" is O_EXCL: two that make a key at the same time cannot both believe that theirs is there.
  const handle = await open(path, "wx", 0o600).catch((cause: unknown) => {
    if (errnoOf(cause) !== "EEXIST") throw cause;
    throw new CaKeyError("ca-key-exists", path, "there is a key, and it is not replaced", {
      hint: "choose another --out for a new one",
    });
  });
  try {
    await using file = handle;
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
