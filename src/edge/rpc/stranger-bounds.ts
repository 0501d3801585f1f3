/**
 * Connections of those who have not shown who they are: few of an address, and none for long. Whoever opens them and waits keeps nobody
 * else out.
 */

import type { Socket } from "node:net";

export interface StrangerBoundsOptions {
  readonly perAddressMax: number;
  /** From the connection's begin on, its handshake included. */
  readonly provenWithinMs: number;
}

export class StrangerBounds {
  readonly #options: StrangerBoundsOptions;
  readonly #connections = new Map<string, number>();
  /** By `ADDRESS:PORT`: what is to be done once it is no stranger's any more. */
  readonly #leave = new Map<string, () => void>();

  constructor(options: StrangerBoundsOptions) {
    this.#options = options;
  }

  /** @returns whether it may stay; it counts until it is closed, or not a stranger's any more */
  enter(socket: Socket): boolean {
    const { perAddressMax, provenWithinMs } = this.#options;
    const { remoteAddress: address = "", remotePort: port = 0 } = socket;
    const count = this.#connections.get(address) ?? 0;
    if (count >= perAddressMax) return false;
    this.#connections.set(address, count + 1);
    const peer = `${address}:${port}`;
    const end = setTimeout(() => socket.destroy(), provenWithinMs).unref();
    const leave = (): void => {
      if (this.#leave.get(peer) !== leave) return;
      this.#leave.delete(peer);
      clearTimeout(end);
      const left = (this.#connections.get(address) ?? 1) - 1;
      if (left > 0) this.#connections.set(address, left);
      else this.#connections.delete(address);
    };
    this.#leave.set(peer, leave);
    socket.once("close", leave);
    return true;
  }

  /** @param peer as a call has it, `ADDRESS:PORT` */
  proven(peer: string): void {
    this.#leave.get(peer)?.();
  }
}
