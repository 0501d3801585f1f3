/**
 * Serves gRPC on a Unix socket, whose file mode says who may connect. The connections are ours and handed over, because
 * grpc-js only half-closes its own at a shutdown, and then waits for a peer that has no reason to hang up.
 */

import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { once } from "node:events";
import { chmod, lstat, rm } from "node:fs/promises";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { PortcullisError } from "../../core/error.ts";

export type UnixSocketErrorCode = "socket-path-too-long" | "socket-path-taken" | "socket-bind";

export class UnixSocketError extends PortcullisError<UnixSocketErrorCode> {
  override name = "UnixSocketError";
}

/** `sockaddr_un` on Linux has room for 108 bytes, the final zero included. */
const pathBytesMax = 107;

/**
 * What a killed predecessor left there is removed; a socket that somebody serves is not.
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
    listenWithMode(server, path, mode);
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

/** All Envoys of a node come at once after a restart; of 1,000, Node's own 511 turned 268 away. */
const connectionsWaitingMax = 4_096;

/** The socket is made within `listen`, so that nobody finds it with the mode of a wider umask. */
function listenWithMode(server: NetServer, path: string, mode: number): void {
  const umask = process.umask(0o777 & ~mode);
  try {
    server.listen({ path, backlog: connectionsWaitingMax });
  } finally {
    process.umask(umask);
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new UnixSocketError("socket-path-taken", `${path} is there and is no socket`, {
      hint: "remove it, or choose another path",
    });
  }
  if (await isServed(path)) {
    throw new UnixSocketError("socket-path-taken", `another process serves ${path}`, {
      hint: "stop it first, or choose another path",
    });
  }
  await rm(path, { force: true });
}

/** Whether somebody listens there now. */
export async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
