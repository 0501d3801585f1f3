/** An application that echoes: in plaintext, and over TLS of its own to whoever begins with it. */

import { createServer, type Server, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Credential } from "../policy-envoy/certificates.ts";
import { listen } from "../policy-envoy/apps.ts";

const tlsHandshake = 0x16;

/** @returns its port on the loopback interface */
export async function ledgerApp(
  stack: AsyncDisposableStack,
  { cert, key }: Credential,
): Promise<number> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket.on("error", () => undefined).on("close", () => open.delete(socket)));
    socket.once("data", (first: Buffer) => {
      socket.pause().unshift(first);
      if (first[0] !== tlsHandshake) {
        socket.pipe(socket);
        return;
      }
      const tls = new TLSSocket(socket, { isServer: true, cert, key });
      tls.on("error", () => undefined).pipe(tls);
    });
  });
  const address = await listen(stack, server);
  stack.defer(() => {
    for (const socket of open) socket.destroy();
  });
  if (address.kind !== "ip") throw new TypeError("expected an IP address");
  return address.port;
}
