/** The transparency log of a server, in `log.db` of its data directory: one writer in a thread, and a reader beside it. */

import type { KeyObject } from "node:crypto";
import { ensurePrivateDir } from "../config/private-files.ts";
import { logPath } from "./log-database.ts";
import { LogReader } from "./log-reader.ts";
import { LogThread } from "./log-thread.ts";
import type { LogWriterLimits } from "./log-queue.ts";
import { LogWriter } from "./log-writer.ts";

export interface LogStoreOptions {
  /** `<trust domain>/portcullis/log`. */
  readonly origin: string;
  /** Ed25519. */
  readonly signingKey: KeyObject;
  readonly nowMs: number;
  /** The directory has had a log before: one that is missing is not made anew. */
  readonly mustExist: boolean;
  readonly limits?: Partial<LogWriterLimits>;
}

export class LogStore implements AsyncDisposable {
  readonly writer: LogWriter;
  readonly reader: LogReader;

  private constructor(writer: LogWriter, reader: LogReader) {
    this.writer = writer;
    this.reader = reader;
  }

  /**
   * Intents that were left open stand in `reader.certificates.open()`.
   * @throws LogError `log-lost`, `log-newer`, `log-unreadable`, `log-damaged`, `log-key-mismatch`, `log-unwritable`;
   *   PrivateFileError
   */
  static async open(dataDir: string, options: LogStoreOptions): Promise<LogStore> {
    await ensurePrivateDir(dataDir);
    const { limits, ...opening } = options;
    const [thread, end] = await LogThread.open({ ...opening, path: logPath(dataDir) });
    try {
      return new LogStore(new LogWriter(thread, end, limits), LogReader.open(dataDir));
    } catch (error) {
      await thread[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reader[Symbol.dispose]();
    await this.writer[Symbol.asyncDispose]();
  }
}
