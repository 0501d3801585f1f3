/** Clients' applications: each calls through the outbound listener of its own Envoy, and is told how the call went over the wire. */

import { Agent, request, type IncomingMessage } from "node:http";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { calledByHeader, delayHeader } from "./apps.ts";

/** Where an Envoy listens for its application. */
export interface Door {
  readonly address: string;
  readonly port: number;
}

/** By whom an application believes to have been called: a SPIFFE ID, or nobody known. */
export type CalledBy = string;

/** What is no SPIFFE ID. */
export const Call = { plaintext: "plaintext", unknown: "unknown" } as const;

export interface Caller extends Disposable {
  /** @throws what kept it from being answered */
  call(): Promise<CalledBy>;
}

const timeoutMs = 10_000;

export interface HttpCallerOptions {
  readonly door: Door;
  readonly host: string;
  /** Connections; 0 for a new one each time. */
  readonly kept: number;
  readonly delayMs?: number;
}

export function httpCaller({ door, host, kept, delayMs = 0 }: HttpCallerOptions): Caller {
  const agent = kept > 0 && new Agent({ keepAlive: true, maxSockets: kept });
  return {
    async call() {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const signal = AbortSignal.timeout(timeoutMs + delayMs);
        const headers = { host, [delayHeader]: String(delayMs) };
        const { address, port } = door;
        request({ host: address, port, headers, agent, signal }, resolve).on("error", reject).end();
      });
      const body = await text(response);
      if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${body}`);
      return calledBy(String(response.headers[calledByHeader]));
    },
    [Symbol.dispose]: () => {
      if (agent !== false) agent.destroy();
    },
  };
}

/** All on one connection. */
export function http2Caller(door: Door, host: string): Caller {
  let session: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    session = connectHttp2(`http://${door.address}:${door.port}`);
    return session.on("error", () => undefined);
  };
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const stream = open().request({ ":authority": host });
        stream.setTimeout(timeoutMs, () => void stream.destroy(new Error("timed out")));
        let by = "";
        let status: number | undefined;
        stream.on("response", (headers) => {
          by = String(headers[calledByHeader]);
          status = headers[":status"];
        });
        stream.on("end", () => {
          if (status === 200) resolve(calledBy(by));
          else reject(new Error(`${status}`));
        });
        stream.on("error", reject).resume();
      }),
    [Symbol.dispose]: () => session?.destroy(),
  };
}

/** A connection for each message. */
export function tcpCaller(door: Door): Caller {
  return {
    async call() {
      const socket = connectTcp({ host: door.address, port: door.port });
      try {
        await echo(socket, "a ping");
        return Call.unknown;
      } finally {
        socket.destroy();
      }
    },
    [Symbol.dispose]: () => undefined,
  };
}

/**
 * One connection that is kept, a message at a time. Where it ends, the client opens another one and asks again: that is no failure,
 * but it is counted.
 */
export class KeptTcp implements Caller {
  readonly #door: Door;
  #socket: Socket | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Connections that somebody else has closed. */
  closed = 0;
  /** Messages that had no answer when their connection was closed, and got it on the next one. */
  asked = 0;

  constructor(door: Door) {
    this.#door = door;
  }

  async call(): Promise<CalledBy> {
    const call = this.#turn.then(async () => this.#call());
    this.#turn = call.catch(() => undefined);
    return call;
  }

  [Symbol.dispose](): void {
    this.#socket?.removeAllListeners("close").destroy();
  }

  async #call(): Promise<CalledBy> {
    const wasOpen = this.#socket !== undefined;
    try {
      await echo(this.#open(), "a ping");
    } catch (error) {
      if (!wasOpen) throw error;
      this.asked += 1;
      this.#socket = undefined;
      await echo(this.#open(), "a ping");
    }
    return Call.unknown;
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connectTcp({ host: this.#door.address, port: this.#door.port });
    this.#socket = socket;
    socket
      .on("error", () => undefined)
      .on("close", () => {
        this.closed += 1;
        if (this.#socket === socket) this.#socket = undefined;
      });
    return socket;
  }
}

/** @throws if the connection ends before the answer */
async function echo(socket: Socket, say: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let answer = "";
  const onData = (data: Buffer): void => {
    answer += data.toString();
    if (answer === say) resolve();
  };
  const onError = (error: Error): void => reject(error);
  const onClose = (): void => reject(new Error("closed before the answer"));
  const timer = setTimeout(() => reject(new Error("timed out")), timeoutMs);
  socket.on("data", onData).on("error", onError).on("close", onClose).on("end", onClose);
  socket.write(say);
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off("data", onData).off("error", onError).off("close", onClose).off("end", onClose);
  }
}

function calledBy(header: string): CalledBy {
  if (header === "-") return Call.plaintext;
  return /(?:^|;)URI=([^;]+)/.exec(header)?.[1] ?? Call.unknown;
}
