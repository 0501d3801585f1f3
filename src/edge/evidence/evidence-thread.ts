/** The thread of `evidence.db`, seen from the server. Once it has ended it is not replaced before the next start. */

import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { EvidenceStoreError } from "./evidence-error.ts";
import {
  parseError,
  type EvidenceThreadData,
  type FromEvidenceThread,
  type ToEvidenceThread,
} from "./evidence-protocol.ts";

const workerFile = join(import.meta.dirname, `evidence-worker${extname(import.meta.filename)}`);

type Answer<Kind> = Extract<FromEvidenceThread, { kind: Kind }>;

export class EvidenceThread implements AsyncDisposable {
  readonly #worker: Worker;
  /** In the order of the calls. */
  readonly #waiting: PromiseWithResolvers<FromEvidenceThread>[] = [];
  readonly #onDeath: (death: EvidenceStoreError) => void;
  #death: EvidenceStoreError | undefined;

  private constructor(data: EvidenceThreadData, onDeath: (death: EvidenceStoreError) => void) {
    this.#onDeath = onDeath;
    this.#worker = new Worker(workerFile, { name: "evidence", workerData: data });
    this.#worker.on("message", (message: FromEvidenceThread) => {
      this.#waiting.shift()?.resolve(message);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on("error", (cause) => this.#die(endedBy(cause)));
    this.#worker.on("exit", (code) => this.#die(endedBy(new Error(`it has exited with ${code}`))));
  }

  /** @param onDeath once, when it ends unasked. @throws EvidenceStoreError, as `openEvidence` does */
  static async open(
    data: EvidenceThreadData,
    onDeath: (death: EvidenceStoreError) => void,
  ): Promise<readonly [EvidenceThread, Answer<"opened">]> {
    const thread = new EvidenceThread(data, onDeath);
    try {
      return [thread, await thread.#receive("opened")];
    } catch (error) {
      thread.#death ??= endedBy(error);
      await thread.#worker.terminate();
      throw error;
    }
  }

  /** Why nothing is written or answered any more. */
  get death(): EvidenceStoreError | undefined {
    return this.#death;
  }

  /** @throws EvidenceStoreError */
  async call<Kind extends "written" | "answered" | "pruned" | "closed">(
    kind: Kind,
    message: ToEvidenceThread,
  ): Promise<Answer<Kind>> {
    if (this.#death !== undefined) throw this.#death;
    this.#worker.postMessage(message);
    return await this.#receive(kind);
  }

  /** Nothing is written or answered any more. */
  end(death: EvidenceStoreError): void {
    this.#die(death);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#death === undefined ? this.call("closed", { kind: "close" }) : undefined;
    this.#death ??= new EvidenceStoreError("evidence-ended", "the server is ending");
    await closed?.catch(() => {});
    await this.#worker.terminate();
  }

  /** While somebody waits for an answer, the process does not end. */
  async #receive<Kind extends FromEvidenceThread["kind"]>(kind: Kind): Promise<Answer<Kind>> {
    this.#worker.ref();
    const waiting = Promise.withResolvers<FromEvidenceThread>();
    this.#waiting.push(waiting);
    const answer = await waiting.promise;
    if (answer.kind === "failed") throw this.#failed(parseError(answer.error));
    if (isOf(answer, kind)) return answer;
    throw new TypeError(`expected the answer ${kind}, got ${answer.kind}`);
  }

  #failed(error: EvidenceStoreError): EvidenceStoreError {
    if (error.code === "evidence-ended") this.#die(error);
    return error;
  }

  #die(death: EvidenceStoreError): void {
    const isNews = this.#death === undefined;
    this.#death ??= death;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death);
    if (isNews) this.#onDeath(death);
  }
}

function endedBy(cause: unknown): EvidenceStoreError {
  return new EvidenceStoreError("evidence-ended", "the thread of evidence.db has ended", {
    cause,
    hint: "connections are not recorded any more: restart the server",
  });
}

function isOf<Kind extends FromEvidenceThread["kind"]>(
  answer: FromEvidenceThread,
  kind: Kind,
): answer is Answer<Kind> {
  return answer.kind === kind;
}
