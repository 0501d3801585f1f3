/** Writes a backup: header, then chunks, all of it durable before anybody may rely on it. Never over anything. */

import { randomBytes } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import {
  encodeHeader,
  encodeHeaderMac,
  NEW_N,
  SALT_BYTES,
} from "../../core/backup/backup-header.ts";
import type { BackupManifest } from "../../core/backup/backup-manifest.ts";
import {
  CHUNK_DATA_BYTES,
  encodeChunk,
  encodeFrameHead,
  type Chunk,
} from "../../core/backup/chunk-format.ts";
import { fileError } from "../config/private-files.ts";
import { deriveKeys } from "./backup-keys.ts";
import { sealChunk } from "./chunk-cipher.ts";

export interface BackupSource {
  readonly manifest: BackupManifest;
  /** Pieces of any length: first all of one file, then all of the other. */
  readonly data: AsyncIterable<Chunk>;
}

/**
 * @param path of a file that must not be there; mode 0600
 * @param n the cost of guessing the passphrase, as scrypt counts it
 * @throws PrivateFileError; whatever the source throws
 */
export async function writeBackup(
  path: string,
  { manifest, data }: BackupSource,
  passphrase: Uint8Array,
  n: number = NEW_N,
): Promise<void> {
  await using file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw fileError(path, error);
  });
  const derivation = { n, salt: randomBytes(SALT_BYTES) };
  const header = encodeHeader({ manifest, derivation });
  const keys = await deriveKeys(passphrase, derivation, header);
  const output = new Output(path, file);
  await output.write(header);
  await output.write(encodeHeaderMac(keys.headerMac));
  let index = 0;
  let held: Chunk | undefined;
  const put = async (chunk: Chunk, isLast: boolean): Promise<void> => {
    const sealed = sealChunk(keys.chunks, encodeChunk(chunk), { index: index++, isLast });
    await output.write(encodeFrameHead({ length: sealed.length, isLast }));
    await output.write(sealed);
  };
  // One is held back, because only the end says which was the last.
  for await (const chunk of inWholeChunks(data)) {
    if (held !== undefined) await put(held, false);
    held = chunk;
  }
  if (held === undefined) throw new TypeError("expected something to write");
  await put(held, true);
  await output.sync();
}

/** The disk's errors by the file's name; those of the source stay what they are. */
class Output {
  readonly #path: string;
  readonly #file: FileHandle;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#named(this.#file.writeFile(bytes));
  }

  async sync(): Promise<void> {
    await this.#named(this.#file.sync());
  }

  async #named(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }
}

async function* inWholeChunks(pieces: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  let file: Chunk["file"] | undefined;
  let rest = Buffer.alloc(0);
  for await (const piece of pieces) {
    if (file !== undefined && piece.file !== file && rest.length > 0) {
      yield { file, data: rest };
      rest = Buffer.alloc(0);
    }
    file = piece.file;
    rest = Buffer.concat([rest, piece.data]);
    while (rest.length >= CHUNK_DATA_BYTES) {
      yield { file, data: rest.subarray(0, CHUNK_DATA_BYTES) };
      rest = rest.subarray(CHUNK_DATA_BYTES);
    }
  }
  if (file !== undefined && rest.length > 0) yield { file, data: rest };
}
