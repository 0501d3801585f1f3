/** The applications behind the mesh's servers: each counts who came, and says by whom it believes to have been called. */

import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcp, type Server, type Socket } from "node:net";
import { listen } from "../policy-envoy/apps.ts";

export interface App {
  readonly port: number;
  /** Connections that it took, and requests. */
  readonly seen: () => number;
}

/** Of an answer: `x-forwarded-client-cert` as it came, or `-`. */
export const calledByHeader = "called-by";
/** Of a request: how long the answer takes, in milliseconds. */
export const delayHeader = "delay-ms";

const certHeader = "x-forwarded-client-cert";

export async function httpApp(stack: AsyncDisposableStack): Promise<App> {
  const server = createHttp(({ headers }, response) => {
    response.setHeader(calledByHeader, String(headers[certHeader] ?? "-"));
    setTimeout(() => response.end("pong"), Number(headers[delayHeader] ?? 0));
  });
  // Whoever keeps a connection longer than its server does is told so too late.
  server.keepAliveTimeout = 0;
  return counted(stack, server);
}

export async function http2App(stack: AsyncDisposableStack): Promise<App> {
  const server = createHttp2();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200, [calledByHeader]: String(headers[certHeader] ?? "-") });
    stream.end("pong");
  });
  server.on("sessionError", () => undefined);
  return counted(stack, server);
}

export async function echoApp(stack: AsyncDisposableStack): Promise<App> {
  return counted(
    stack,
    createTcp((socket) => socket.on("error", () => undefined).pipe(socket)),
  );
}

async function counted(stack: AsyncDisposableStack, server: Server): Promise<App> {
  const open = new Set<Socket>();
  let count = 0;
  server.on("request", () => (count += 1));
  server.on("connection", (socket: Socket) => {
    count += 1;
    open.add(socket.on("close", () => open.delete(socket)));
  });
  const { port } = await portOf(stack, server);
  stack.defer(() => {
    for (const socket of open) socket.destroy();
  });
  return { port, seen: () => count };
}

async function portOf(stack: AsyncDisposableStack, server: Server): Promise<{ port: number }> {
  const address = await listen(stack, server);
  if (address.kind !== "ip") throw new TypeError("expected an IP address");
  return address;
}
