/** The thread that writes the log, seen from the server: one call at a time. Once it has died it is never replaced. */

import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { LogError } from "../../core/log/log-error.ts";
import {
  parseError,
  type FromLogThread,
  type LogThreadData,
  type ToLogThread,
} from "./log-protocol.ts";

const workerFile = join(import.meta.dirname, `log-worker${extname(import.meta.filename)}`);

type Answer<Kind> = Extract<FromLogThread, { kind: Kind }>;

export class LogThread implements AsyncDisposable {
  readonly #worker: Worker;
  #answer: PromiseWithResolvers<FromLogThread> | undefined;
  #death: LogError | undefined;

  private constructor(data: LogThreadData) {
    this.#worker = new Worker(workerFile, { name: "log", workerData: data });
    this.#worker.on("message", (message: FromLogThread) => {
      this.#worker.unref();
      this.#answer?.resolve(message);
    });
    this.#worker.on("error", (cause) => this.#die(cause));
    this.#worker.on("exit", (code) => this.#die(new Error(`it has exited with ${code}`)));
  }

  /** @throws LogError as `openLog` does */
  static async open(data: LogThreadData): Promise<readonly [LogThread, Answer<"opened">]> {
    const thread = new LogThread(data);
    try {
      return [thread, await thread.#receive("opened")];
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
  }

  /** Why nothing will ever be written again. */
  get death(): LogError | undefined {
    return this.#death;
  }

  async call<Kind extends "appended" | "pruned" | "closed">(
    kind: Kind,
    message: ToLogThread,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Answer<Kind>> {
    if (this.#death !== undefined) throw this.#death;
    this.#worker.postMessage(message, transfer);
    return await this.#receive(kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#death === undefined) await this.call("closed", { kind: "close" }).catch(() => {});
    await this.#worker.terminate();
  }

  /** While somebody waits for an answer, the process does not end. */
  async #receive<Kind extends FromLogThread["kind"]>(kind: Kind): Promise<Answer<Kind>> {
    if (this.#answer !== undefined) throw new TypeError("expected one call at a time");
    this.#worker.ref();
    this.#answer = Promise.withResolvers();
    const answer = await this.#answer.promise.finally(() => {
      this.#answer = undefined;
    });
    if (answer.kind === "failed") throw parseError(answer.error);
    if (isOf(answer, kind)) return answer;
    throw new TypeError(`expected the answer ${kind}, got ${answer.kind}`);
  }

  #die(cause: unknown): void {
    this.#death ??= new LogError("log-unwritable", "the thread that writes the log has ended", {
      cause,
      hint: "nothing is signed any more: restart the server",
    });
    this.#answer?.reject(this.#death);
  }
}

function isOf<Kind extends FromLogThread["kind"]>(
  answer: FromLogThread,
  kind: Kind,
): answer is Answer<Kind> {
  return answer.kind === kind;
}
