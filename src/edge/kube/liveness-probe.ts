/**
 * Whether the API server lives, asked each second: a watch that is silent is as current as that is recent. `/livez` looks at etcd, too,
 * may be read by everybody whom RBAC's defaults know, and is exempt from priority and fairness.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConnection } from "./kube-connection.ts";
import { asKubeError, type KubeError, type KubeErrorCode } from "./kube-error.ts";

/** Why a watch that is silent cannot be proven current. */
export interface LivenessProblem {
  readonly reason: KubeErrorCode | "no-http2";
  readonly detail: string;
  readonly hint: string;
}

export interface ProbeOptions {
  readonly connection: KubeConnection;
  /** The same clock as the reflectors'. */
  readonly nowMs: () => number;
  /** @default 1000 */
  readonly intervalMs?: number;
  /** @default 1000 */
  readonly deadlineMs?: number;
  /** Undefined: all is well, as it is at first. */
  readonly onChange?: (problem: LivenessProblem | undefined) => void;
}

/** One that is lost takes nothing from anybody; so many in a row are told before watches count as behind. */
const failuresMin = 3;

const noHttp2: LivenessProblem = {
  reason: "no-http2",
  detail: "no HTTP/2 with the API server: watches cannot be proven current",
  hint: "let the API server, and what stands before it, speak HTTP/2: ALPN h2, no --disable-http2-serving, no GODEBUG=http2server=0",
};

export class LivenessProbe implements AsyncDisposable {
  readonly #options: ProbeOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  #aliveMs: number | undefined;
  /** In a row. */
  #failures = 0;
  #failure: KubeError | undefined;
  #told: LivenessProblem["reason"] | undefined;

  /** Begins at once. */
  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /**
   * When the last question began that was answered; undefined: none, or it went over a connection of its own, perhaps to another server
   * than the one that the watches hang on.
   */
  get aliveMs(): number | undefined {
    return this.#options.connection.isShared ? this.#aliveMs : undefined;
  }

  /** Undefined while all is well, and until it is known. */
  get problem(): LivenessProblem | undefined {
    if (this.#failure !== undefined && this.#failures >= failuresMin) return failed(this.#failure);
    const isAnswered = this.#aliveMs !== undefined;
    return isAnswered && !this.#options.connection.isShared ? noHttp2 : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { intervalMs = 1_000 } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#ask();
      this.#tell();
      await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #ask(): Promise<void> {
    const { connection, nowMs, deadlineMs = 1_000 } = this.#options;
    const beganMs = nowMs();
    try {
      await connection.ask("/livez", deadlineMs);
      this.#aliveMs = beganMs;
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#failure = asKubeError(error, "GET /livez");
    }
  }

  #tell(): void {
    const { problem } = this;
    if (problem?.reason === this.#told) return;
    this.#told = problem?.reason;
    this.#options.onChange?.(problem);
  }
}

function failed({ code: reason, message, hint }: KubeError): LivenessProblem {
  const look = "is the API server well? kubectl get --raw '/livez?verbose'";
  return { reason, detail: `last ${message}`, hint: hint ?? look };
}
