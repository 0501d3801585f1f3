/** Applications, each with a protocol of its own, that stop with the test. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcp, type Server } from "node:net";
import type { AppAddress } from "../../src/core/policy/proxy-policy.ts";

/** With trailers, as gRPC's. */
export function http2App(): Server {
  const app = createHttp2();
  app.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "app-protocol": "2.0" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end("pong");
  });
  return app;
}

export function upgradingApp(): Server {
  const app = createHttp(({ httpVersion }, response) => {
    response.setHeader("app-protocol", httpVersion).end("pong");
  });
  app.on("upgrade", (_request, socket) => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    socket.pipe(socket).on("error", () => undefined);
  });
  return app;
}

export function speaksFirst(): Server {
  return createTcp((socket) => socket.on("error", () => undefined).end("welcome"));
}

export async function listen(stack: AsyncDisposableStack, server: Server): Promise<AppAddress> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  const address = server.address();
  assert(address !== null && typeof address === "object");
  return { kind: "ip", host: "127.0.0.1", port: address.port };
}
