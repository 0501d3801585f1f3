/** Where the port of a stand-in pod leads, and whether it leads anywhere. */

import { once } from "node:events";
import { createServer, type Server } from "node:net";

export interface Held {
  readonly connected: Promise<unknown>;
  readonly release: () => void;
}

/** Where the pod's port leads. */
export class Place implements Disposable {
  readonly adminPort: number;
  isOpen = true;
  #held: Server | undefined;

  constructor(adminPort: number) {
    this.adminPort = adminPort;
  }

  /** Port 1 is nobody's. */
  port(): number {
    const held = this.#held?.address();
    if (typeof held === "object" && held !== null) return held.port;
    return this.isOpen ? this.adminPort : 1;
  }

  hold(): Held {
    const server = createServer();
    this.#held = server.listen(0, "127.0.0.1");
    return { connected: once(server, "connection"), release: () => this[Symbol.dispose]() };
  }

  [Symbol.dispose](): void {
    this.#held?.close();
    this.#held = undefined;
  }
}
