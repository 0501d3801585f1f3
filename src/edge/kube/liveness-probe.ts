/**
 * Whether the API server lives, asked each second: a watch that is silent is as current as that is recent. `/livez` looks at etcd, too,
 * may be read by everybody whom RBAC's defaults know, and is exempt from priority and fairness.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConnection } from "./kube-connection.ts";
import { asKubeError, type KubeError } from "./kube-error.ts";

export interface ProbeOptions {
  readonly connection: KubeConnection;
  /** The same clock as the reflectors'. */
  readonly nowMs: () => number;
  /** @default 1000 */
  readonly intervalMs?: number;
  /** @default 1000 */
  readonly deadlineMs?: number;
}

export class LivenessProbe implements AsyncDisposable {
  readonly #options: ProbeOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  #aliveMs: number | undefined;
  #failure: KubeError | undefined;

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

  /** Of the last question; undefined where it was answered. */
  get failure(): KubeError | undefined {
    return this.#failure;
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
      await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #ask(): Promise<void> {
    const { connection, nowMs, deadlineMs = 1_000 } = this.#options;
    const beganMs = nowMs();
    try {
      await connection.ask("/livez", deadlineMs);
      this.#aliveMs = beganMs;
      this.#failure = undefined;
    } catch (error) {
      this.#failure = asKubeError(error, "GET /livez");
    }
  }
}
