/** Names that a gate goes on without, until when: durable, and gone when the rotation is over. */

import type { SimLog } from "./log.ts";
import type { Server } from "./server.ts";

const none: ReadonlySet<string> = new Set();
const noLeaves: ReadonlySet<number> = new Set();

export class Waivers {
  readonly #server: Server;
  readonly #until = new Map<string, number>();

  constructor(server: Server) {
    this.#server = server;
  }

  get size(): number {
    return this.#until.size;
  }

  /** @throws Crash */
  add(names: readonly string[], untilMs: number): void {
    this.#server.write("waivers", () => {
      for (const name of names) this.#until.set(name, untilMs);
    });
  }

  /** That count now. */
  names(): ReadonlySet<string> {
    if (this.#until.size === 0) return none;
    const { nowMs } = this.#server;
    return new Set([...this.#until].flatMap(([name, untilMs]) => (nowMs < untilMs ? name : [])));
  }

  /** Indexes of the intents of waived certificates. */
  leaves(log: SimLog): ReadonlySet<number> {
    const names = this.names();
    if (names.size === 0) return noLeaves;
    const waived = log.leaves.filter(({ serialHex }) => names.has(`leaf/${serialHex}`));
    return new Set(waived.map(({ intentIndex }) => intentIndex));
  }

  end(): void {
    this.#until.clear();
  }
}
