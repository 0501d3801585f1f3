/**
 * One HTTP/2 connection for all watches and for the question whether the API server lives: so its answer is of the very process that
 * the watches hang on, also where several stand behind one address, and one that is frozen can be left for another.
 */

import { connect as http2Connect, type ClientHttp2Session } from "node:http2";
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { unlessAborted } from "../../core/unless-aborted.ts";
import { within } from "./deadline.ts";
import type { HttpAnswer } from "./http-answer.ts";
import { asKubeError } from "./kube-error.ts";
import { requestOver, type StreamRequest } from "./http2-request.ts";
import { keepAlive } from "./keep-alive.ts";

const connectMs = 5_000;
const replaced = "another connection has taken its place";
/** For all streams together: the default of 64 KiB would let one that is slow to be read hold up the others. */
const windowBytes = 4 * 1_048_576;

export class SharedSession {
  readonly #server: URL;
  readonly #tls: ConnectionOptions;
  readonly #closed = new AbortController();
  #session: ClientHttp2Session | undefined;
  #connecting: Promise<ClientHttp2Session | undefined> | undefined;
  /** Some proxies before an API server do not. */
  #isSpoken = true;

  constructor(server: URL, tls: ConnectionOptions) {
    this.#server = server;
    this.#tls = tls;
  }

  /**
   * @returns undefined where the server does not speak HTTP/2
   * @throws KubeError `kube-unreachable`; the reason of the signal
   */
  async request(request: StreamRequest): Promise<HttpAnswer | undefined> {
    for (;;) {
      const session = await this.#current(request.signal);
      if (session === undefined) return undefined;
      const answer = await requestOver(session, request);
      if (answer !== undefined) return answer;
      session.close();
    }
  }

  /** False once the server has been seen to speak no HTTP/2. */
  get isSpoken(): boolean {
    return this.#isSpoken;
  }

  /** What hangs on it fails now, and what comes after gets another one. */
  cut(): void {
    this.#session?.destroy(new Error("it was cut by us: it had not answered for long"));
    this.#session = undefined;
  }

  /** As after it nothing is asked over it: what hangs on it fails now. */
  retire(): void {
    this.#session?.destroy(new Error(replaced));
    this.#session = undefined;
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#session?.destroy();
  }

  async #current(signal: AbortSignal): Promise<ClientHttp2Session | undefined> {
    const known = this.#session;
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    if (!this.#isSpoken) return undefined;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    signal.throwIfAborted();
    return await unlessAborted(this.#connecting, signal);
  }

  async #connect(): Promise<ClientHttp2Session | undefined> {
    const { origin } = this.#server;
    const what = `connect ${origin}`;
    const socket = await within(what, connectMs, [this.#closed.signal], async (signal) =>
      openTls(this.#server, this.#tls, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        throw asKubeError(error, what);
      }),
    );
    if (socket.alpnProtocol !== "h2") {
      this.#isSpoken = false;
      socket.destroy();
      return undefined;
    }
    keepAlive(socket);
    const session = http2Connect(origin, { createConnection: () => socket });
    session.setLocalWindowSize(windowBytes);
    // Each stream is told of it.
    session.on("error", () => {});
    // The server has said that it ends, and its streams would go on: whether this one lives says nothing of them.
    this.#session?.destroy(new Error(replaced));
    this.#session = session;
    return session;
  }
}

/** Aborted, it is destroyed. */
async function openTls(
  { hostname, port }: URL,
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = tlsConnect({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? 443 : Number(port),
    ALPNProtocols: ["h2", "http/1.1"],
    ...tls,
  });
  const onAbort = (): void => void socket.destroy(new Error("aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once("secureConnect", () => resolve(socket));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.off("error", reject);
  }
}
