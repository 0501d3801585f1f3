/** The server's own certificate. It follows the authority that signs, when the server gets to it. */

import { Task } from "../world/pipe.ts";
import { bitOf } from "../world/symbols.ts";
import type { Server } from "./server.ts";

export class OwnCertificate {
  readonly renewal: Task;
  rootBit = 0;
  /** The key ID of who signed it. */
  signer = "";
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    this.renewal = new Task(
      () => server.isUp && this.signer !== (server.issuing.authority.signerIds[0] ?? ""),
      () => {
        if (server.below(4) === 0) this.renew();
      },
    );
  }

  renew(): void {
    const { root, signerIds } = this.#server.issuing.authority;
    this.rootBit = bitOf(root);
    this.signer = signerIds[0] ?? "";
  }
}
