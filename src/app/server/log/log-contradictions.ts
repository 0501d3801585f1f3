/**
 * Checkpoints of this log's key that this log does not go on from, as agents have shown them: there was, or is, another log under the key,
 * of a copy of this directory or of what it was before it was set back. What was signed with that one stands in no entry of this one, and no
 * root may be retired before it has expired.
 */

import { hexOf } from "../../../core/bytes.ts";
import type { Checkpoint } from "../../../core/log/checkpoint.ts";

export interface LogContradictionsDependencies {
  readonly recall: () => string | undefined;
  /** Durable when it returns. */
  readonly remember: (text: string) => void;
  /** Of the configuration that is in force. */
  readonly maxTtlSeconds: () => number;
  /** Until when the log says that something may be valid that is not in it; 0 for nothing. Unix ms. */
  readonly lostUntilMs: () => number;
  /** Says so in the log; durable when it resolves. */
  readonly record: (possibleUntilMs: number) => Promise<void>;
  readonly onFailed: (error: unknown) => void;
  readonly nowMs: () => number;
}

interface Known {
  /** The longest lifetime that a server of this directory has signed with. */
  readonly maxTtlSeconds: number;
  /** The newest last: an agent shows the same one until somebody has looked after it, and that is no news. */
  readonly seen: readonly string[];
}

const seenMax = 1_024;
/** Agents come within minutes, each with its own checkpoint: one entry for all of them. */
const aheadMs = 600_000;

export class LogContradictions {
  readonly #dependencies: LogContradictionsDependencies;
  #recording: Promise<void> = Promise.resolve();

  /** @throws what SQLite throws */
  constructor(dependencies: LogContradictionsDependencies) {
    this.#dependencies = dependencies;
    this.raiseTtl(dependencies.maxTtlSeconds());
  }

  /** Before anything is signed with it. @throws what SQLite throws */
  raiseTtl(maxTtlSeconds: number): void {
    const known = this.#known();
    if (known.maxTtlSeconds < maxTtlSeconds) this.#remember({ ...known, maxTtlSeconds });
  }

  /** Nobody waits for it. What could not be recorded is news when it is shown again. */
  saw({ size, root }: Checkpoint): void {
    const shown = `${size} ${hexOf(root)}`;
    this.#recording = this.#recording
      .then(() => this.#record(shown))
      .catch(this.#dependencies.onFailed);
  }

  async #record(shown: string): Promise<void> {
    const { lostUntilMs, record, nowMs, maxTtlSeconds } = this.#dependencies;
    const known = this.#known();
    if (known.seen.includes(shown)) return;
    // Whoever has signed with the other log may do so until now.
    const ttlSeconds = Math.max(known.maxTtlSeconds, maxTtlSeconds());
    const untilMs = nowMs() + ttlSeconds * 1_000;
    if (lostUntilMs() < untilMs) await record(untilMs + aheadMs);
    this.#remember({ ...this.#known(), seen: [...known.seen, shown].slice(-seenMax) });
  }

  #known(): Known {
    const { maxTtlSeconds, seen }: { maxTtlSeconds?: unknown; seen?: unknown } = {
      ...JSON.parse(this.#dependencies.recall() ?? "{}"),
    };
    return {
      maxTtlSeconds: typeof maxTtlSeconds === "number" ? maxTtlSeconds : 0,
      seen: Array.isArray(seen) ? seen.filter((each) => typeof each === "string") : [],
    };
  }

  #remember(known: Known): void {
    this.#dependencies.remember(JSON.stringify(known));
  }
}
