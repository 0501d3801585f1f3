/** Binds a TCP server, or says in an operator's words why it cannot. */

import type { AddressInfo, Server } from "node:net";
import { PortcullisError } from "../../core/error.ts";
import { formatListenAddress } from "../config/listen-address.ts";

export type ListenErrorCode = "listen-address-taken" | "listen-failed";

export class ListenError extends PortcullisError<ListenErrorCode> {
  override name = "ListenError";
}

/** @param port 0 picks one. @throws ListenError */
export async function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException): void => {
      reject(listenError(formatListenAddress({ host, port }), cause));
    };
    server.once("error", refuse);
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
  return server.address() as AddressInfo;
}

function listenError(address: string, cause: NodeJS.ErrnoException): ListenError {
  if (cause.code === "EADDRINUSE") {
    const message = `cannot listen on ${address}: another process does`;
    const hint = "is a server running already? stop it, or choose another address";
    return new ListenError("listen-address-taken", message, { cause, hint });
  }
  return new ListenError("listen-failed", `cannot listen on ${address}: ${cause.message}`, {
    cause,
    hint: "choose an address of this machine, and a port that you may bind",
  });
}
