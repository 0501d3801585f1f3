/**
 * Who has taken a trust bundle from this agent, and who of them listens no more: nobody knows what those trust now. They count
 * for as long as a certificate that was given with it may be used. On disk, since an agent's end is the end of every stream,
 * and those readers live on.
 */

import { join } from "node:path";
import {
  PrivateFileError,
  readPrivateFile,
  writeFileAtomic,
} from "../../edge/config/private-files.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { removeForGood } from "./remove-file.ts";
import { StateFileError, type ReceivedCertificate } from "./workload-set.ts";

/** One stream. */
export interface BundleReader {
  /** It was given what is held now. */
  took(given: ReceivedCertificate): void;
  /** It is heard no more. */
  left(): void;
}

export interface BundleReadersOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  readonly onChange: () => void;
}

interface Entry {
  untilMs: number;
  isOpen: boolean;
}

const fileName = "readers.json";
const fileBytesMax = 65_536;
/** Of those that listen no more: one or sixty-four, an operator has the same to do. */
const leftMax = 64;
/** Looked at again at least so often, since a suspended machine's timers sleep with it. */
const lookMs = 30_000;

export class BundleReaders implements Disposable {
  readonly #options: BundleReadersOptions;
  #entries: readonly Entry[];
  #longestMs = 0;
  #isDue = false;
  #isDestroyed = false;
  #writing: Promise<void> | undefined;
  #told = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: BundleReadersOptions, untilMs: readonly number[]) {
    this.#options = options;
    this.#entries = untilMs.map((each) => ({ untilMs: each, isOpen: false }));
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  static async open(options: BundleReadersOptions): Promise<BundleReaders> {
    return new BundleReaders(options, await readStored(options));
  }

  /** How many listen no more; at most 64. */
  get unobserved(): number {
    const nowMs = this.#options.nowMs();
    return this.#entries.filter(({ isOpen, untilMs }) => !isOpen && untilMs > nowMs).length;
  }

  /** A stream. */
  listen(): BundleReader {
    const entry: Entry = { untilMs: 0, isOpen: true };
    return {
      took: (given) => {
        entry.untilMs = this.#untilMs(given);
        this.#put([...this.#entries.filter((each) => each !== entry), entry]);
      },
      left: () => {
        entry.isOpen = false;
        this.#put(this.#entries);
      },
    };
  }

  /** One answer without a stream. */
  fetched(given: ReceivedCertificate): void {
    this.#put([...this.#entries, { untilMs: this.#untilMs(given), isOpen: false }]);
  }

  /** Resolves when all is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** The workload ends, and its readers with it. @throws what the file system says */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await this.#writing;
    await removeForGood(join(this.#options.stateDir, fileName));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** As long as the longest life of a certificate that was seen here. */
  #untilMs({ certificate, receivedAtMs }: ReceivedCertificate): number {
    this.#longestMs = Math.max(this.#longestMs, certificate.notAfterMs - receivedAtMs);
    return this.#options.nowMs() + this.#longestMs;
  }

  #put(entries: readonly Entry[]): void {
    const nowMs = this.#options.nowMs();
    const open = entries.filter(({ isOpen }) => isOpen);
    const left = entries.filter(({ isOpen, untilMs }) => !isOpen && untilMs > nowMs);
    const kept = left.toSorted((a, b) => b.untilMs - a.untilMs).slice(0, leftMax);
    this.#entries = [...open, ...kept];
    if (this.#isDestroyed) return;
    this.#isDue = true;
    this.#writing ??= this.#drain();
    this.#look();
  }

  #look(): void {
    if (this.unobserved === this.#told) return;
    this.#told = this.unobserved;
    this.#options.onChange();
  }

  async #drain(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      const untilMs = this.#entries.map((entry) => entry.untilMs);
      const bytes = Buffer.from(JSON.stringify({ version: 1, untilMs }));
      const path = join(this.#options.stateDir, fileName);
      await writeFileAtomic(path, bytes, 0o600).catch((error: unknown) =>
        this.#options.events.stateNotWritten(error),
      );
    }
    this.#writing = undefined;
  }
}

/** What cannot be read is reported. */
async function readStored({ stateDir, events, nowMs }: BundleReadersOptions): Promise<number[]> {
  const path = join(stateDir, fileName);
  try {
    const bytes = await readPrivateFile(path, fileBytesMax);
    return parseStored(JSON.parse(Buffer.from(bytes).toString())).filter((each) => each > nowMs());
  } catch (cause) {
    if (cause instanceof PrivateFileError && cause.code === "file-missing") return [];
    const message = `${path} is no list of readers`;
    events.stateUnreadable(new StateFileError("state-file-malformed", message, { cause }));
    return [];
  }
}

/** @throws TypeError */
function parseStored(document: unknown): number[] {
  const { version, untilMs } = document as { version: unknown; untilMs: unknown };
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  if (Array.isArray(untilMs) && untilMs.every((each) => Number.isFinite(each))) return untilMs;
  throw new TypeError("expected times");
}
