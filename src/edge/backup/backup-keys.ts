/** From a passphrase to the keys of one backup: scrypt, then HKDF over its header, so that no other header fits. */

import { createHmac, hkdfSync, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { SCRYPT_P, SCRYPT_R, type KeyDerivation } from "../../core/backup/backup-header.ts";

const KEY_BYTES = 32;
/** Beside the 128 * N * r octets themselves. */
const SCRYPT_SLACK_BYTES = 1_048_576;

const scryptAsync: (
  passphrase: Uint8Array,
  salt: Uint8Array,
  length: number,
  options: { readonly N: number; readonly r: number; readonly p: number; readonly maxmem: number },
) => Promise<Buffer> = promisify(scrypt);

export interface BackupKeys {
  /** Encrypts the chunks. */
  readonly chunks: Uint8Array;
  /** Over the first two lines of the header; tells a wrong passphrase from a damaged chunk. */
  readonly headerMac: Uint8Array;
}

/** @param authenticated the first two lines of the header */
export async function deriveKeys(
  passphrase: Uint8Array,
  { n, salt }: KeyDerivation,
  authenticated: Uint8Array,
): Promise<BackupKeys> {
  const cost = { N: n, r: SCRYPT_R, p: SCRYPT_P };
  const maxmem = 128 * n * SCRYPT_R + SCRYPT_SLACK_BYTES;
  const master = await scryptAsync(passphrase, salt, KEY_BYTES, { ...cost, maxmem });
  const macKey = derive(master, "header", new Uint8Array());
  const headerMac = createHmac("sha256", macKey).update(authenticated).digest();
  return { chunks: derive(master, "chunks", headerMac), headerMac };
}

function derive(master: Uint8Array, use: string, header: Uint8Array): Uint8Array {
  const info = Buffer.concat([Buffer.from(`portcullis backup 1 ${use}\0`), header]);
  return new Uint8Array(hkdfSync("sha256", master, new Uint8Array(), info, KEY_BYTES));
}
