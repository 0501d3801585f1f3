/**
 * A stream to a server of ours, with TLS inside of it, as a Unix socket that gRPC can dial: it takes streams of its own making only.
 * The socket lies in a directory that only we can enter, and is gone when the one connection is there.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as tlsConnect, type TLSSocket } from "node:tls";

export interface TlsRelayOptions {
  /** PEM. */
  readonly roots: string;
  /** That the server's certificate must have. */
  readonly serverName: string;
  readonly handshakeMs: number;
}

export interface TlsRelay extends AsyncDisposable {
  /** A gRPC target. */
  readonly address: string;
  readonly failure: () => Error | undefined;
}

/**
 * Takes the stream over, whatever becomes of it.
 * @throws what ends the handshake: a certificate that is not by these roots, or not of that name
 */
export async function relayTls(stream: Duplex, options: TlsRelayOptions): Promise<TlsRelay> {
  await using owned = new AsyncDisposableStack();
  let failure: Error | undefined;
  owned.defer(() => void stream.destroy());
  stream.on("error", (error: Error) => (failure ??= error));
  const secured = await handshake(stream, options);
  secured.on("error", (error: Error) => (failure ??= error));
  owned.defer(() => void secured.destroy());
  const directory = await mkdtemp(join(tmpdir(), "portcullis-"));
  owned.defer(async () => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "s");
  const server = createServer((socket) => joinOnce(server, socket, secured));
  owned.defer(() => void server.close());
  server.listen(path);
  await once(server, "listening");
  const rest = owned.move();
  return {
    address: `unix://${path}`,
    failure: () => failure,
    [Symbol.asyncDispose]: async () => rest.disposeAsync(),
  };
}

async function handshake(
  stream: Duplex,
  { roots, serverName, handshakeMs }: TlsRelayOptions,
): Promise<TLSSocket> {
  const secured = tlsConnect({
    socket: stream,
    ca: roots,
    servername: serverName,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error("no TLS handshake in time")), handshakeMs);
  secured.once("secureConnect", resolve);
  secured.once("error", reject);
  stream.once("error", reject);
  const closed = (): void => reject(new Error("the connection was closed in the handshake"));
  // Whoever does not believe the certificate closes first, and says why a moment later.
  stream.once("close", () => setImmediate(closed));
  try {
    await promise;
    return secured;
  } catch (error) {
    secured.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
}

/** The first and the last: nobody else's connection is ever joined to it. */
function joinOnce(server: Server, socket: Socket, secured: TLSSocket): void {
  server.close();
  const end = (): void => {
    socket.destroy();
    secured.destroy();
  };
  socket.on("error", end).on("close", end);
  secured.on("error", end).on("close", end);
  socket.pipe(secured).pipe(socket);
}
