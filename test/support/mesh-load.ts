/**
 * Requests at a steady rate, each on a new connection, so that each makes a new TLS handshake
 * behind the proxy.
 */

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export class MeshLoad implements AsyncDisposable {
  readonly #port: number;
  readonly #stopping = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  sent = 0;
  /** With its time since the start: what came instead of the greeting. */
  readonly failures: string[] = [];

  /** @param port that leads to an application which says "hello" and ends */
  constructor(port: number, intervalMs: number) {
    this.#port = port;
    this.#loop = this.#run(intervalMs);
  }

  /** Resolves when the last answer is there. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await Promise.all(this.#pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(intervalMs: number): Promise<void> {
    const { signal } = this.#stopping;
    const startedMs = Date.now();
    while (!signal.aborted) {
      this.sent += 1;
      const request = greeting(this.#port).then((answer) => {
        const atMs = Date.now() - startedMs;
        if (answer !== "hello") this.failures.push(`request at ${atMs} ms: ${answer}`);
        this.#pending.delete(request);
      });
      this.#pending.add(request);
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }
}

const requestTimeoutMs = 3_000;

/** What the other side says, or what went wrong; never rejects. */
export async function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    let said = "";
    socket.setTimeout(requestTimeoutMs, () => socket.destroy(new Error("timed out")));
    socket.on("data", (chunk) => (said += chunk.toString()));
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", () => resolve(said === "" ? "nothing" : said));
  });
}
