/** The wire between an agent and its server: bytes pass, until it is cut (everybody sees it) or stalls (nobody does). */

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export class Wire implements AsyncDisposable {
  readonly #target: { readonly host: string; readonly port: number };
  /** Each with the one that its bytes go to. */
  readonly #sockets = new Map<Socket, Socket>();
  readonly #server = createServer((near) => this.#accept(near));
  /** Connections that came while it stalled. */
  #waiting: Socket[] = [];
  #state: "whole" | "cut" | "stalled" = "whole";

  private constructor(target: string) {
    const [host = "", port = ""] = target.split(":");
    this.#target = { host, port: Number(port) };
  }

  /** @param target `host:port` */
  static async open(target: string): Promise<Wire> {
    const wire = new Wire(target);
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    return wire;
  }

  get address(): string {
    // It listens.
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  /** All connections break, and new ones do until it is mended. */
  cut(): void {
    this.#state = "cut";
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
  }

  /** Not a byte passes until it is mended, and then all of them. */
  stall(): void {
    this.#state = "stalled";
    for (const [socket, other] of this.#sockets) socket.unpipe(other).pause();
  }

  mend(): void {
    const wasStalled = this.#state === "stalled";
    this.#state = "whole";
    if (!wasStalled) return;
    for (const [socket, other] of this.#sockets) socket.pipe(other);
    for (const near of this.#waiting.splice(0)) this.#join(near);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of [...this.#waiting, ...this.#sockets.keys()]) socket.destroy();
    await this.#server[Symbol.asyncDispose]();
  }

  #accept(near: Socket): void {
    near.on("error", () => near.destroy());
    if (this.#state === "cut") near.resetAndDestroy();
    else if (this.#state === "stalled") this.#waiting.push(near.pause());
    else this.#join(near);
  }

  #join(near: Socket): void {
    const far = connect(this.#target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.set(socket, other);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
