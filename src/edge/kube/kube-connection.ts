/**
 * The API server: few requests at a time, a bounded line before them, a deadline for each. What strangers can cause has places of its own,
 * and so has what signing hangs on; watches, and the question whether it lives, stand beside that: none waits for another. Not the library's own client: that costs twice the CPU for each request, and
 * 85 MiB.
 */

import { within } from "./deadline.ts";
import { collect, readable } from "./http-answer.ts";
import type { KubeAccess } from "./kube-access.ts";
import { KubeError } from "./kube-error.ts";
import { Lanes, type Lane } from "./lanes.ts";
import type { GateLimits } from "./request-gate.ts";
import { Transport, whatOf, type SentRequest } from "./transport.ts";

export interface KubeRequest extends SentRequest {
  /** @default common */
  readonly lane?: Lane;
  /** From the first moment on, in the line, too. @default 5000 */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface KubeStreamRequest {
  /** With its query. */
  readonly path: string;
  /** Until the answer begins. @default 5000 */
  readonly deadlineMs?: number;
  /** It is cut when nothing has come for so long. */
  readonly idleMs: number;
  /** Asked then, where all watches share a connection: whether that is known to live. Its silence says nothing then. @default false */
  readonly isAlive?: () => boolean;
  readonly signal: AbortSignal;
}

export interface KubeConnectionOptions {
  readonly access: KubeAccess;
  /** Of the common lane. @default 64 under way, 256 waiting */
  readonly limits?: GateLimits;
}

const deadlineDefaultMs = 5_000;
const answerBytesMax = 64 * 1_048_576;
/** With a question each second and a second for each, after 10 s. */
const silencesMax = 5;
/** Whoever has no right is answered, too. */
const answering: ReadonlySet<string> = new Set([
  "kube-unauthorized",
  "kube-forbidden",
  "kube-not-found",
  "kube-throttled",
]);

export class KubeConnection implements Disposable {
  readonly server: URL;
  readonly #lanes: Lanes;
  readonly #transport: Transport;
  readonly #closed = new AbortController();
  /** Questions without an answer, in a row. */
  #silences = 0;

  constructor({ access, limits }: KubeConnectionOptions) {
    this.server = access.server;
    this.#lanes = new Lanes(limits);
    this.#transport = new Transport(access, this.#lanes.inFlightMax);
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#lanes.inFlight;
  }

  /**
   * Whether what `ask` is told is of the very process that the watches hang on; without a connection that they share, nobody knows whose
   * it is.
   */
  get isShared(): boolean {
    return this.#transport.isShared;
  }

  /**
   * @returns the answer's JSON
   * @throws KubeError; the reason of the request's signal
   */
  async send(request: KubeRequest): Promise<unknown> {
    const { deadlineMs = deadlineDefaultMs, lane = "common", signal } = request;
    const what = whatOf(request);
    return await within(what, deadlineMs, [signal, this.#closed.signal], async (signal) => {
      const text = await this.#lanes.pass(lane, signal, async () => {
        const answer = await this.#transport.request(request, signal);
        return await collect(answer, { what, bytesMax: answerBytesMax, signal });
      });
      return parseJson(what, text);
    });
  }

  /**
   * An answer that goes on, such as a watch.
   * @throws KubeError; the reason of the request's signal. So does the answer
   */
  async open(request: KubeStreamRequest): Promise<AsyncIterable<Uint8Array>> {
    const { path, deadlineMs = deadlineDefaultMs, idleMs, isAlive } = request;
    const what = whatOf(request);
    const late = new AbortController();
    const signal = AbortSignal.any([request.signal, this.#closed.signal, late.signal]);
    return await within(what, deadlineMs, [signal], async (begun) => {
      const onAbort = (): void => late.abort(begun.reason);
      begun.addEventListener("abort", onAbort, { once: true });
      const answer = await this.#transport.stream({ path, idleMs, isAlive, signal });
      begun.removeEventListener("abort", onAbort);
      return readable(answer, { what, signal });
    });
  }

  /**
   * Whether the process that the watches hang on answers, whatever. After some silence it is left: there may be others behind its
   * address.
   * @throws KubeError
   */
  async ask(path: string, deadlineMs: number): Promise<void> {
    const what = whatOf({ path });
    try {
      await within(what, deadlineMs, [this.#closed.signal], async (signal) => {
        const answer = await this.#transport.stream({ path, idleMs: deadlineMs, signal });
        await collect(answer, { what, bytesMax: answerBytesMax, signal });
      });
      this.#silences = 0;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      this.#silences = error.code === "kube-unreachable" ? this.#silences + 1 : 0;
      if (this.#silences > 0 && this.#silences % silencesMax === 0) this.#transport.cutStreams();
      if (!answering.has(error.code)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#closed.abort(new KubeError("kube-unreachable", "this connection was closed by us"));
    this.#transport[Symbol.dispose]();
  }
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KubeError("kube-answer", `${what}: expected JSON, got something else`);
  }
}
