/** The network between a server and its API server, which may be cut while both are well. */

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class CuttablePath implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  /** @param to URL of the API server; its certificate is for the host's name */
  static async open(to: string): Promise<CuttablePath> {
    const { hostname, port } = new URL(to);
    const server = createServer();
    server.listen(0, hostname);
    await once(server, "listening");
    const { port: own } = server.address() as AddressInfo;
    const path = new CuttablePath(server, `https://${hostname}:${own}`);
    server.on("connection", (near) => path.#join(near, connect(Number(port), hostname)));
    return path;
  }

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** What is open is reset, and what comes is, too. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    if (this.#isCut) near.destroy();
  }
}
