/** The server's own certificate. It follows the authority that signs, when the server gets to it. */

import { Task } from "../world/pipe.ts";
import { bitOf, rootDigest } from "../world/symbols.ts";
import type { Server } from "./server.ts";

export class OwnCertificate {
  readonly renewal: Task;
  rootBit = 0;
  /** As the log names it. */
  root = "";
  /** The key ID of who signed it. */
  #signer = "";
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    this.renewal = new Task(
      () => server.isUp && this.#signer !== server.issuing.authority.id,
      () => {
        if (server.below(4) === 0) this.renew();
      },
    );
  }

  renew(): void {
    const { id, root } = this.#server.issuing.authority;
    this.rootBit = bitOf(root);
    this.root = rootDigest(root);
    this.#signer = id;
  }
}
