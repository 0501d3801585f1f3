/**
 * An application that remembers each connection that reached it. It speaks plaintext, and TLS of its own to whoever begins with it:
 * HTTP to who sends a request, and `pong` to everybody else.
 */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { AppAddress } from "../../src/core/policy/proxy-policy.ts";
import type { Credential } from "./certificates.ts";

export type Seen = "plaintext" | "tls" | "nothing said";

const tlsHandshake = 0x16;
const httpAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\npong";

export class WatchingApp implements Disposable {
  readonly #own: Credential;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#accept(socket));
  /** How each connection began, in their order. */
  readonly seen: Seen[] = [];
  /** Without TLS: what each began with. */
  readonly said: string[] = [];

  private constructor(own: Credential) {
    this.#own = own;
  }

  static async listen(own: Credential): Promise<WatchingApp> {
    const app = new WatchingApp(own);
    app.#server.listen(0, "127.0.0.1");
    await once(app.#server, "listening");
    return app;
  }

  get address(): AppAddress {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return { kind: "ip", host: "127.0.0.1", port: address.port };
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const at = this.seen.push("nothing said") - 1;
    socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
    socket.once("data", (first: Buffer) => {
      const isTls = first[0] === tlsHandshake;
      this.seen[at] = isTls ? "tls" : "plaintext";
      if (!isTls) this.#answer(socket, first);
      else this.#endTls(socket, first);
    });
  }

  #endTls(socket: Socket, first: Buffer): void {
    socket.pause();
    socket.unshift(first);
    const { cert, key } = this.#own;
    const tls = new TLSSocket(socket, { isServer: true, cert, key });
    tls.on("error", () => undefined).once("data", (said: Buffer) => this.#answer(tls, said));
  }

  #answer(socket: Socket, said: Buffer): void {
    if (!(socket instanceof TLSSocket)) this.said.push(said.toString("latin1"));
    socket.end(said.includes("HTTP/1.1") ? httpAnswer : "pong").resume();
  }
}
