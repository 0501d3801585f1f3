/**
 * Tells when files have changed and then been quiet for a while: they are copied one after the other, and what is read in
 * between does not fit together. Stat is asked, not a watch kept: a mounted Secret is replaced by its symbolic link.
 */

import { stat } from "node:fs/promises";
import { errnoOf } from "../../edge/config/errno.ts";
import { withinDeadline } from "../../edge/config/private-files.ts";

export interface QuietWatchOptions {
  /** They need not be there. */
  readonly paths: readonly string[];
  readonly pollMs: number;
  /** From the last change that was seen. */
  readonly quietMs: number;
  readonly onQuiet: () => void;
}

export class QuietWatch implements Disposable {
  readonly #options: QuietWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  /** Of a change that nobody has been told of. */
  #changedMs: number | undefined;
  #isClosed = false;

  constructor(options: QuietWatchOptions) {
    this.#options = options;
    void this.#poll();
  }

  /** Whether there is a change that is not quiet yet. */
  get isChanging(): boolean {
    return this.#changedMs !== undefined;
  }

  /** What is there now is about to be read anyway: only later changes are told. Never rejects. */
  async acknowledge(): Promise<void> {
    this.#seen = await fingerprint(this.#options.paths);
    this.#changedMs = undefined;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    const before = this.#seen;
    const found = await fingerprint(this.#options.paths);
    if (this.#isClosed) return;
    // Not where somebody acknowledged meanwhile, perhaps what is newer than this.
    if (before === this.#seen) this.#compare(found);
    this.#timer = setTimeout(() => void this.#poll(), this.#options.pollMs).unref();
  }

  #compare(found: string): void {
    const nowMs = performance.now();
    // The first look is a change, too: nobody knows what was there when the files were read.
    if (found !== this.#seen) {
      this.#seen = found;
      this.#changedMs = nowMs;
    } else if (this.#changedMs !== undefined && nowMs - this.#changedMs >= this.#options.quietMs) {
      this.#changedMs = undefined;
      this.#options.onQuiet();
    }
  }
}

async function fingerprint(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(fingerprintOf))).join(" ");
}

async function fingerprintOf(path: string): Promise<string> {
  try {
    const stats = await withinDeadline(path, stat(path, { bigint: true }));
    const { ino, size, mtimeNs, ctimeNs } = stats;
    return [ino, size, mtimeNs, ctimeNs].join("-");
  } catch (error) {
    return errnoOf(error) ?? "unreadable";
  }
}
