/** How much that is to end is still sent to each socket: counted, so that one answer costs the same with any number of clients. */

import { mesh, open, type Kind, type Kinds } from "./rollout-kinds.ts";
import type { LingeringView } from "./rollout-server.ts";
import { SocketMap, type Socket } from "./rollout-sockets.ts";

export class LingeringTallies {
  readonly #known = new KindCounts();
  readonly #unknown = new KindCounts();

  /** @returns whether it is the first of its kind there, or was the last */
  change(socket: Socket, kind: Kind, isKnown: boolean, change: 1 | -1): boolean {
    return (isKnown ? this.#known : this.#unknown).change(socket, kind, change);
  }

  /** @param address undefined: nobody's */
  of(address: string | undefined): LingeringView {
    if (address === undefined) return nothing;
    return {
      known: (port) => this.#known.at(address, port),
      unknown: (port) => this.#unknown.at(address, port),
      ports: new Set([...this.#known.ports(address), ...this.#unknown.ports(address)]),
    };
  }
}

class KindCounts {
  readonly #counts = new SocketMap<Map<Kind, number>>();

  change({ address, port }: Socket, kind: Kind, change: 1 | -1): boolean {
    const counts = this.#counts.get(address, port) ?? new Map<Kind, number>();
    const count = (counts.get(kind) ?? 0) + change;
    if (count === 0) counts.delete(kind);
    else counts.set(kind, count);
    if (counts.size === 0) this.#counts.delete(address, port);
    else this.#counts.set(address, port, counts);
    return count === (change === 1 ? 1 : 0);
  }

  at(address: string, port: number): Kinds {
    const counts = this.#counts.get(address, port);
    return ((counts?.has(open) ? open : 0) | (counts?.has(mesh) ? mesh : 0)) as Kinds;
  }

  ports(address: string): Iterable<number> {
    return this.#counts.ports(address);
  }
}

const nothing: LingeringView = { known: () => 0, unknown: () => 0, ports: [] };
