/**
 * Serves gRPC on a Unix socket, whose file mode says who may connect. The connections are ours and handed over, because
 * grpc-js only half-closes its own at a shutdown, and then waits for a peer that has no reason to hang up.
 */

import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { once } from "node:events";
import { chmod, lstat, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { PortcullisError } from "../../core/error.ts";

export type UnixSocketErrorCode = "socket-path-too-long" | "socket-path-taken" | "socket-bind";

export class UnixSocketError extends PortcullisError<UnixSocketErrorCode> {
  override name = "UnixSocketError";
}

/** `sockaddr_un` on Linux has room for 108 bytes, the final zero included. */
const pathBytesMax = 107;

/**
 * Only for a caller that knows to be the only one on this path: what a killed predecessor left there is removed.
 * @param mode of the socket file
 * @returns what ends it, and every connection with it
 * @throws UnixSocketError
 */
export async function listenOnUnixSocket(
  grpc: Server,
  path: string,
  mode: number,
): Promise<Disposable> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new UnixSocketError(
      "socket-path-too-long",
      `expected a socket path of at most ${pathBytesMax} bytes, got ${Buffer.byteLength(path)}: ${path}`,
      { hint: "choose a shorter directory" },
    );
  }
  await removeStaleSocket(path);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  try {
    server.listen(path);
    await once(server, "listening");
    await chmod(path, mode);
  } catch (cause) {
    server.close();
    throw new UnixSocketError("socket-bind", `${path}: ${String(cause)}`, { cause });
  }
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new UnixSocketError("socket-path-taken", `${path} is there and is no socket`, {
      hint: "remove it, or choose another path",
    });
  }
  await rm(path);
}
