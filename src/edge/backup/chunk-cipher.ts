/** One chunk, encrypted and authenticated with AES-256-GCM (NIST SP 800-38D), its place in the nonce. */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { chunkNonce, damaged, TAG_BYTES } from "../../core/backup/chunk-format.ts";

const algorithm = "aes-256-gcm";

export interface ChunkPlace {
  readonly index: number;
  readonly isLast: boolean;
}

/** @returns the ciphertext and its tag */
export function sealChunk(
  key: Uint8Array,
  plain: Uint8Array,
  { index, isLast }: ChunkPlace,
): Uint8Array {
  const cipher = createCipheriv(algorithm, key, chunkNonce(index, isLast), {
    authTagLength: TAG_BYTES,
  });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws BackupError `backup-damaged` unless it is what was written, at that place, with that key */
export function openChunk(
  key: Uint8Array,
  sealed: Uint8Array,
  { index, isLast }: ChunkPlace,
): Uint8Array {
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(algorithm, key, chunkNonce(index, isLast), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch (cause) {
    throw damaged(index, cause);
  }
}
