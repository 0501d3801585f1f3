/**
 * Connections of those who have not shown who they are: few of an address, and none for long. Whoever opens them and waits keeps nobody
 * else out.
 */

import type { Socket } from "node:net";
import { KeyCounts } from "../../core/key-counts.ts";

export interface StrangerBoundsOptions {
  readonly perAddressMax: number;
  /** From the connection's begin on, its handshake included. */
  readonly provenWithinMs: number;
}

export class StrangerBounds {
  readonly #options: StrangerBoundsOptions;
  readonly #connections = new KeyCounts();
  /** By `ADDRESS:PORT`: what is to be done once it is no stranger's any more. */
  readonly #leave = new Map<string, () => void>();

  constructor(options: StrangerBoundsOptions) {
    this.#options = options;
  }

  /** @returns whether it may stay; it counts until it is closed, or not a stranger's any more */
  enter(socket: Socket): boolean {
    const { perAddressMax, provenWithinMs } = this.#options;
    const { remoteAddress: address = "", remotePort: port = 0 } = socket;
    if (this.#connections.of(address) >= perAddressMax) return false;
    const counted = this.#connections.add(address);
    const peer = `${address}:${port}`;
    const end = setTimeout(() => socket.destroy(), provenWithinMs).unref();
    const leave = (): void => {
      if (this.#leave.get(peer) !== leave) return;
      this.#leave.delete(peer);
      clearTimeout(end);
      counted[Symbol.dispose]();
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
