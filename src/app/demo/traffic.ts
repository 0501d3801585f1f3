/**
 * Open-loop load: requests start on a fixed schedule, whatever became of those before, so that a
 * stall shows as many slow or failed requests and not as a pause. Each has a connection of its own.
 */

import { once } from "node:events";
import { createServer, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface TrafficOptions {
  readonly port: number;
  readonly ratePerSecond: number;
  /** From the dial to the last byte; later is a failure. */
  readonly timeoutMs: number;
  readonly nowMs: () => number;
}

export interface RequestFailure {
  readonly atMs: number;
  readonly reason: string;
}

const latenciesMax = 10_000;
const failuresMax = 100;

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #latenciesMs: number[] = [];
  readonly #pending = new Set<Promise<void>>();
  /** The first ones, with their reasons. */
  readonly failures: RequestFailure[] = [];
  sent = 0;
  answered = 0;
  failed = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** Runs until the signal, and then until the last answer or its time-out. */
  async run(signal: AbortSignal): Promise<void> {
    const startMs = performance.now();
    let due = 0;
    while (!signal.aborted) {
      const elapsedMs = performance.now() - startMs;
      for (; due <= (elapsedMs * this.#options.ratePerSecond) / 1_000; due++) this.#send();
      const dueMs = (due * 1_000) / this.#options.ratePerSecond;
      await sleep(Math.max(1, dueMs - elapsedMs), undefined, { signal }).catch(() => {});
    }
    await Promise.all(this.#pending);
  }

  /** Milliseconds below which this share of the newest answers came; undefined before the first. */
  latencyMs(share: number): number | undefined {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }

  #send(): void {
    this.sent++;
    const { nowMs, port, timeoutMs } = this.#options;
    const [atMs, startMs] = [nowMs(), performance.now()];
    const request = fetchOnce(port, timeoutMs).then(
      () => {
        this.#latenciesMs[this.answered++ % latenciesMax] = performance.now() - startMs;
      },
      (error: unknown) => {
        this.failed++;
        if (this.failures.length < failuresMax)
          this.failures.push({ atMs, reason: reasonOf(error) });
      },
    );
    this.#pending.add(request);
    void request.finally(() => this.#pending.delete(request));
  }
}

/** The application: it says yes, and closes. */
export async function startApp(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((_, response) => {
    response.setHeader("connection", "close").end(greeting);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("expected a port");
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

const greeting = "hello from behind the server's Envoy\n";

async function fetchOnce(port: number, timeoutMs: number): Promise<void> {
  // Without an agent no connection is kept, and the request says "connection: close".
  const options = { host: "127.0.0.1", port, agent: false, signal: AbortSignal.timeout(timeoutMs) };
  const body = await new Promise<string>((resolve, reject) => {
    get(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text)).on("error", reject);
    }).on("error", reject);
  });
  if (body !== greeting) throw new Error(`expected the app's answer, got ${body.length} bytes`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError") return "timed out";
  return "code" in error ? String(error.code) : error.message;
}
