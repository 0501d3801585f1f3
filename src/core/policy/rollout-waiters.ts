/** Which clients wait for which sockets: whom to ask again when a server has moved. */

import { SocketMap, type Socket } from "./rollout-sockets.ts";

export class RolloutWaiters {
  readonly #waiting = new SocketMap<Set<string>>();
  readonly #sockets = new Map<string, readonly Socket[]>();

  /** In the place of what it waited for. */
  set(key: string, sockets: readonly Socket[]): void {
    for (const { address, port } of this.#sockets.get(key) ?? []) {
      const keys = this.#waiting.get(address, port);
      if (keys?.delete(key) && keys.size === 0) this.#waiting.delete(address, port);
    }
    if (sockets.length === 0) this.#sockets.delete(key);
    else this.#sockets.set(key, sockets);
    for (const { address, port } of sockets) {
      const keys = this.#waiting.get(address, port) ?? new Set();
      this.#waiting.set(address, port, keys.add(key));
    }
  }

  at(address: string, port: number): Iterable<string> {
    return this.#waiting.get(address, port) ?? [];
  }

  ports(address: string): Iterable<number> {
    return this.#waiting.ports(address);
  }
}
