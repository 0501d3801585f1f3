/** Reads a backup: nothing of it is given out before it is authenticated, and its end is told from where it breaks off. */

import { timingSafeEqual } from "node:crypto";
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { BackupError } from "../../core/backup/backup-error.ts";
import { HEADER_BYTES_MAX, parseHeader } from "../../core/backup/backup-header.ts";
import { backupFiles, type BackupManifest } from "../../core/backup/backup-manifest.ts";
import {
  damaged,
  FRAME_HEAD_BYTES,
  parseChunk,
  parseFrameHead,
  truncated,
  type Chunk,
} from "../../core/backup/chunk-format.ts";
import { fileError, notOfKind } from "../config/private-files.ts";
import { deriveKeys } from "./backup-keys.ts";
import { openChunk } from "./chunk-cipher.ts";

export class BackupReader implements AsyncDisposable {
  readonly manifest: BackupManifest;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #key: Uint8Array;
  readonly #start: number;

  private constructor(path: string, file: FileHandle, { manifest, key, start }: OpenedBackup) {
    this.#path = path;
    this.#file = file;
    this.manifest = manifest;
    this.#key = key;
    this.#start = start;
  }

  /** @throws BackupError `backup-malformed`, `backup-newer`, `backup-passphrase-wrong`; PrivateFileError */
  static async open(path: string, passphrase: Uint8Array): Promise<BackupReader> {
    let file: FileHandle | undefined;
    try {
      // O_NONBLOCK, since opening a FIFO for reading would wait for a writer.
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await file.stat();
      if (!stats.isFile()) throw notOfKind(path, stats, "file");
      return new BackupReader(path, file, await openHeader(file, passphrase));
    } catch (error) {
      await file?.close();
      throw error instanceof BackupError ? error : fileError(path, error);
    }
  }

  /** From the first to the last; again from the first at each call. @throws BackupError, PrivateFileError */
  async *chunks(): AsyncGenerator<Chunk> {
    let offset = this.#start;
    let order = 0;
    for (let index = 0; ; index++) {
      const head = await this.#read(offset, FRAME_HEAD_BYTES, index);
      const { length, isLast } = parseFrameHead(head, index);
      const sealed = await this.#read(offset + FRAME_HEAD_BYTES, length, index);
      const chunk = parseChunk(openChunk(this.#key, sealed, { index, isLast }), index);
      const place = backupFiles.indexOf(chunk.file);
      if (place < order) throw damaged(index);
      order = place;
      yield chunk;
      offset += FRAME_HEAD_BYTES + length;
      if (isLast) return await this.#expectEnd(offset, index);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #read(offset: number, length: number, index: number): Promise<Uint8Array> {
    const bytes = await readAt(this.#file, offset, length).catch((error: unknown) => {
      throw fileError(this.#path, error);
    });
    if (bytes.length === length) return bytes;
    throw truncated(index);
  }

  async #expectEnd(offset: number, index: number): Promise<void> {
    const { size } = await this.#file.stat();
    if (size !== offset) throw damaged(index + 1);
  }
}

interface OpenedBackup {
  readonly manifest: BackupManifest;
  readonly key: Uint8Array;
  readonly start: number;
}

async function openHeader(file: FileHandle, passphrase: Uint8Array): Promise<OpenedBackup> {
  const start = await readAt(file, 0, HEADER_BYTES_MAX);
  const { manifest, derivation, authenticated, mac, length } = parseHeader(start);
  const keys = await deriveKeys(passphrase, derivation, authenticated);
  if (timingSafeEqual(keys.headerMac, mac)) {
    return { manifest, key: keys.chunks, start: length };
  }
  const message = "the passphrase is not that of this backup, or its header is damaged";
  throw new BackupError("backup-passphrase-wrong", message, {
    hint: "is this the --passphrase-file that it was made with?",
  });
}

/** Fewer only at the end of the file. */
async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
  }
  return bytes;
}
