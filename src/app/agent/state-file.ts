/**
 * A file of the state directory that follows what is in memory. What comes during one write goes out with the next, and what has failed is
 * tried again: a disk that was full for a while has it all afterwards.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomic } from "../../edge/config/private-files.ts";
import { removeForGood } from "./remove-file.ts";

export interface StateFileOptions {
  readonly path: string;
  /** What is in memory now. */
  readonly encode: () => Uint8Array;
  /** What `encode` said last is on the disk. */
  readonly onWritten?: () => void;
  readonly onFailure: (error: unknown) => void;
  /** Between two writes. */
  readonly pauseMs?: number;
}

const retryMs = 5_000;

export class StateFile {
  readonly #options: StateFileOptions;
  readonly #ending = new AbortController();
  #isDue = false;
  #isDestroyed = false;
  #writing: Promise<void> | undefined;

  constructor(options: StateFileOptions) {
    this.#options = options;
  }

  /** What is in memory is another. */
  write(): void {
    if (this.#isDestroyed) return;
    this.#isDue = true;
    this.#writing ??= this.#drain();
  }

  /** Resolves when all is on disk, or was tried once more. */
  async settled(): Promise<void> {
    this.#ending.abort();
    await this.#writing;
  }

  /** @throws what the file system says */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await this.settled();
    await removeForGood(this.#options.path);
  }

  async #drain(): Promise<void> {
    // What else this turn of the event loop brings, too.
    await new Promise((resolve) => void setImmediate(resolve));
    try {
      while (this.#isDue) await this.#writeOnce();
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeOnce(): Promise<void> {
    const { pauseMs = 0 } = this.#options;
    const { signal } = this.#ending;
    this.#isDue = false;
    const isLast = signal.aborted;
    const isWritten = await this.#writeAll();
    if (!isWritten && !isLast) this.#isDue = true;
    const waitMs = isWritten ? pauseMs : retryMs;
    if (this.#isDue && waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {});
  }

  async #writeAll(): Promise<boolean> {
    const { path, encode, onWritten, onFailure } = this.#options;
    try {
      await writeFileAtomic(path, encode(), 0o600);
    } catch (error) {
      onFailure(error);
      return false;
    }
    onWritten?.();
    return true;
  }
}
