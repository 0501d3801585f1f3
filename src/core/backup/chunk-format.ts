/**
 * How the databases lie in a backup: in chunks, each encrypted and authenticated by itself (as STREAM does it: Hoang,
 * Reyhanitabar, Rogaway, Vizár, 2015). The nonce counts the chunks and says which is the last, so that none can be left
 * out, moved, repeated or cut off.
 */

import { BackupError } from "./backup-error.ts";
import { backupFiles, type BackupFile } from "./backup-manifest.ts";

/** Of a database; before them comes an octet that says of which. */
export const CHUNK_DATA_BYTES = 65_536;
export const FRAME_HEAD_BYTES = 4;
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const LAST_BIT = 0x8000_0000;
const SEALED_BYTES_MIN = 1 + TAG_BYTES;
const SEALED_BYTES_MAX = 1 + CHUNK_DATA_BYTES + TAG_BYTES;

export interface FrameHead {
  /** Of the ciphertext and its tag. */
  readonly length: number;
  readonly isLast: boolean;
}

export interface Chunk {
  readonly file: BackupFile;
  readonly data: Uint8Array;
}

export function encodeFrameHead({ length, isLast }: FrameHead): Uint8Array {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(isLast ? length + LAST_BIT : length);
  return head;
}

/** @throws BackupError `backup-damaged` */
export function parseFrameHead(head: Uint8Array, index: number): FrameHead {
  const word = Buffer.from(head).readUInt32BE();
  const isLast = word >= LAST_BIT;
  const length = isLast ? word - LAST_BIT : word;
  if (length >= SEALED_BYTES_MIN && length <= SEALED_BYTES_MAX) return { length, isLast };
  throw damaged(index);
}

/** Never used twice with one key: each backup has a salt, and so a key, of its own. */
export function chunkNonce(index: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(index), 3);
  nonce.writeUInt8(isLast ? 1 : 0, NONCE_BYTES - 1);
  return nonce;
}

export function encodeChunk({ file, data }: Chunk): Uint8Array {
  return Buffer.concat([Uint8Array.of(1 + backupFiles.indexOf(file)), data]);
}

/** @throws BackupError `backup-damaged` */
export function parseChunk(plain: Uint8Array, index: number): Chunk {
  const file = backupFiles[(plain[0] ?? 0) - 1];
  if (file === undefined) throw damaged(index);
  return { file, data: plain.subarray(1) };
}

export function damaged(index: number, cause?: unknown): BackupError {
  return new BackupError("backup-damaged", `chunk ${index} is not what was written`, {
    cause,
    hint: "take another copy of this backup, or an older one",
  });
}

export function truncated(index: number): BackupError {
  return new BackupError("backup-truncated", `the backup ends at chunk ${index}, before its last`, {
    hint: "take another copy of this backup, or an older one",
  });
}
