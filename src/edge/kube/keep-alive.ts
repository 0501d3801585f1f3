/** A peer that is gone without a word (a node that died, a firewall that forgot) is noticed in 8 s. */

import type { Socket } from "node:net";

export function keepAlive(socket: Socket): void {
  socket.setKeepAlive({ enable: true, initialDelay: 3_000, interval: 1_000, count: 5 });
}
