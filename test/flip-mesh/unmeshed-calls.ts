/** Calls that pass no proxy of the caller, each from an address of its own. */

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";

export interface CallFrom {
  readonly localAddress: string;
  readonly address: string;
  readonly port: number;
}

const timeoutMs = 10_000;

/** HTTP in plaintext, of whom calls himself so. @returns the beginning of the answer; "" where he is refused */
export async function plaintextCall(
  { address: host, ...from }: CallFrom,
  agent = "curl/8.5.0",
): Promise<string> {
  const socket = connectTcp({ host, ...from });
  return await ask(
    socket,
    `GET / HTTP/1.1\r\nhost: api\r\nuser-agent: ${agent}\r\nconnection: close\r\n\r\n`,
  );
}

/** TLS that ends at the application. */
export async function ownTlsCall({ address: host, ...from }: CallFrom): Promise<string> {
  const own = { servername: "ledger.test", rejectUnauthorized: false };
  return await ask(connectTls({ host, ...from, ...own }), "a ping");
}

/** Says that he is of the mesh, and has nothing to show for it. */
export async function pretendedCall({ address: host, ...from }: CallFrom): Promise<string> {
  const own = { ALPNProtocols: ["istio"], rejectUnauthorized: false };
  return await ask(connectTls({ host, ...from, ...own }), "a ping");
}

async function ask(socket: Socket, say: string): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.once("data", (data: Buffer) => resolve(data.toString()));
    socket.once("close", () => resolve("")).on("error", () => undefined);
    socket.setTimeout(timeoutMs, () => socket.destroy());
  });
  socket.write(say);
  try {
    return await answer;
  } finally {
    socket.destroy();
  }
}

/** Calls again and again, until it is stopped. */
export class Repeated implements AsyncDisposable {
  readonly #ends = new AbortController();
  readonly #running: Promise<void>;
  answered = 0;
  /** Without an answer. */
  failed = 0;

  constructor(everyMs: number, call: () => Promise<string>, firstAfterMs = 0) {
    this.#running = this.#run(everyMs, call, firstAfterMs);
  }

  /** Resolves when the last one is over. */
  async stop(): Promise<void> {
    this.#ends.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(everyMs: number, call: () => Promise<string>, firstAfterMs: number): Promise<void> {
    const { signal } = this.#ends;
    await sleep(firstAfterMs, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      if ((await call()) === "") this.failed += 1;
      else this.answered += 1;
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
