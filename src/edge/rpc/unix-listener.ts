/** Binds a gRPC server to a Unix socket, whose file mode says who may connect. */

import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { chmod, lstat, rm } from "node:fs/promises";
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
 */
export async function bindUnixSocket(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new UnixSocketError(
      "socket-path-too-long",
      `expected a socket path of at most ${pathBytesMax} bytes, got ${Buffer.byteLength(path)}: ${path}`,
      { hint: "choose a shorter directory" },
    );
  }
  await removeStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (cause) => {
      if (cause === null) resolve();
      else reject(new UnixSocketError("socket-bind", `${path}: ${cause.message}`, { cause }));
    });
  });
  await chmod(path, mode);
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
