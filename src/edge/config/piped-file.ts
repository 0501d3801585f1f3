/** What a person names to a verb that reads once: a file, or a pipe, as in `--key-passphrase-file <(pass show ca)`. */

import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { errnoOf } from "./errno.ts";
import { fileError, notOfKind, readBounded } from "./private-files.ts";

/**
 * Reads a file, or what comes through `/dev/stdin` or a FIFO: waits for that until `signal` says
 * otherwise. @throws PrivateFileError
 */
export async function readPipedFile(
  path: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (stats.isDirectory()) throw notOfKind(path, stats, "file");
    return await readBounded(path, stats.isFile() ? handle : pipeReader(handle, signal), bytesMax);
  } catch (error) {
    // An interruption is not what is wrong with the file.
    signal.throwIfAborted();
    throw fileError(path, error);
  }
}

const PIPE_POLL_MS = 20;
/** A FIFO whose writer has not opened it yet looks as if it had ended. */
const PIPE_GRACE_MS = 1_000;

/** Polls: a read that blocks would hold its thread, which no signal ends. */
function pipeReader(handle: FileHandle, signal: AbortSignal): Pick<FileHandle, "read"> {
  const startMs = performance.now();
  let hasBegun = false;
  const read = async (...args: [Uint8Array, number, number, null]) => {
    for (;;) {
      const result = await handle.read(...args).catch((error: unknown) => {
        if (errnoOf(error) !== "EAGAIN") throw error;
        return undefined;
      });
      hasBegun ||= result === undefined || result.bytesRead > 0;
      const isOver = hasBegun || performance.now() - startMs > PIPE_GRACE_MS;
      if (result !== undefined && (result.bytesRead > 0 || isOver)) return result;
      await sleep(PIPE_POLL_MS, undefined, { signal });
    }
  };
  return { read } as Pick<FileHandle, "read">;
}
