/** Whoever is slow or silent costs a bounded amount, for a bounded time, and nobody else's time. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";

import { eventually, mint, scrape, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { CODE, CREATE_CERTIFICATE, dialWire, frame, sign, WIRE_CSR } from "./grpc-wire.ts";
import { encodeRequest, type WireConnection } from "./grpc-wire.ts";

const idleConnections = 1_000;
const silentClients = 50;

async function timedSign(it: TestControlPlane): Promise<number> {
  const startMs = performance.now();
  await using connection = dialWire(it);
  assert.equal((await sign(connection)).code, CODE.ok);
  return performance.now() - startMs;
}

describe("a server that strangers lean on", { timeout: 30_000, concurrency: true }, () => {
  let it: TestControlPlane;
  before(async () => {
    it = await startControlPlane();
  });
  after(() => it[Symbol.asyncDispose]());

  test("serves the next caller within a second, and sends silent ones away", async (t) => {
    const port = Number(it.address.split(":")[1]);
    const sockets: Socket[] = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const silent = Array.from({ length: silentClients }, () => connectTcp(port, "127.0.0.1"));
    sockets.push(...silent);
    const gone = silent.map(async (socket) => {
      socket.on("error", () => {});
      socket.resume();
      await once(socket, "close");
    });
    const idle = { host: "127.0.0.1", port, ca: it.rootPem, ALPNProtocols: ["h2"] };
    for (let opened = 0; opened < idleConnections; opened += 50) {
      const some = Array.from({ length: 50 }, () => connectTls(idle));
      sockets.push(...some);
      await Promise.all(some.map((socket) => once(socket, "secureConnect")));
    }
    assert.ok((await timedSign(it)) < 1_000);
    await Promise.all(gone);
    const refused = (await scrape(it)).get('portcullis_tls_refused_total{reason="handshake"}');
    assert.equal(refused, silentClients);
    assert.ok((await timedSign(it)) < 1_000);
  });

  const message = frame(encodeRequest({ csr: WIRE_CSR }));
  const bodies: readonly (readonly [title: string, path: string, body: Uint8Array])[] = [
    ["send no message", CREATE_CERTIFICATE, Uint8Array.of()],
    ["send half of a message", CREATE_CERTIFICATE, message.subarray(0, 300)],
    ["do not end their request", CREATE_CERTIFICATE, message],
    [
      "ask for reflection and stay",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      Uint8Array.of(),
    ],
  ];
  for (const [title, path, body] of bodies) {
    test(`ends 100 streams that ${title}`, async () => {
      await using connection = dialWire(it);
      await timedSign(it);
      // What describes the services comes a little after the start.
      const isKnown = async () => (await connection.call(path, body)).code !== CODE.unimplemented;
      if (path !== CREATE_CERTIFICATE) await eventually(isKnown);
      const streams = Array.from({ length: 100 }, () => silentStream(connection, path, body));
      const startMs = performance.now();
      const codes = await Promise.all(streams.map((stream) => endOf(stream)));
      assert.deepEqual(new Set(codes), new Set([CODE.deadlineExceeded]));
      const seconds = (performance.now() - startMs) / 1_000;
      assert.ok(seconds > 8 && seconds < 15, String(seconds));
    });
  }

  test("opens no 101st stream of one connection until another ends", async () => {
    await using connection = dialWire(it);
    await eventually(() => connection.session.remoteSettings.maxConcurrentStreams === 100);
  });
});

function silentStream(
  { session }: WireConnection,
  path: string,
  body: Uint8Array,
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    authorization: `Bearer ${mint()}`,
  });
  stream.on("error", () => {});
  stream.resume();
  if (body.length > 0) stream.write(body);
  return stream;
}

async function endOf(stream: ClientHttp2Stream): Promise<number> {
  const [headers] = await once(stream, "response");
  stream.close();
  return Number(headers["grpc-status"]);
}
