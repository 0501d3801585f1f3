/** How many connections with mTLS are open at a real Envoy's ports: they are told of only when they end. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { test } from "node:test";
import type { PortCoverage } from "../../src/core/evidence/connection.ts";
import { callPlain, tcpMessage } from "../policy-envoy/caller.ts";
import { clientId, type Credential } from "../policy-envoy/certificates.ts";
import { ConnectionScene, type ToldConnections } from "./scene.ts";

const ports = [
  { protocol: "tcp", mode: "permissive", alpn: "istio", count: 3 },
  { protocol: "tcp", mode: "strict", alpn: "istio", count: 1 },
  { protocol: "http", mode: "permissive", alpn: "istio-h2", count: 2 },
] as const;

test("connections with mTLS that are open are counted on their port, and no more when they have ended", async () => {
  await using scene = await ConnectionScene.open();
  const client = scene.mesh.issue(clientId);
  const inbound = await scene.listen(ports);
  await callPlain(inbound[0]?.port ?? 0, tcpMessage);
  const of = (told: ToldConnections): (number | undefined)[] =>
    inbound.map(({ port }) => lastOf(told, port)?.openMeshed);
  assert.deepEqual(of(await scene.told(inbound)), [0, 0, 0]);
  const sockets = await Promise.all(
    ports.flatMap(({ alpn, count }, at) => {
      const port = inbound[at]?.port ?? 0;
      return Array.from({ length: count }, async () => open(port, client, alpn));
    }),
  );
  assert.deepEqual(of(await scene.told(inbound)), [3, 1, 2]);
  await Promise.all(
    sockets.map(async (socket) => {
      socket.destroy();
      if (!socket.closed) await once(socket, "close");
    }),
  );
  const told = await scene.told(inbound);
  assert.deepEqual(of(told), [0, 0, 0]);
  for (const [at, { count }] of ports.entries()) {
    const seen = told.seen(inbound[at]?.port ?? 0);
    const ended = seen.filter(({ kind }) => kind === "mtls").map((each) => each.count);
    assert.deepEqual(ended, [count], "they are told of now");
  }
});

function lastOf({ all }: ToldConnections, port: number): PortCoverage | undefined {
  const spans = all.flatMap(({ coverage }) => coverage).filter((each) => each.port === port);
  return spans.toSorted((a, b) => a.untilMs - b.untilMs).at(-1);
}

async function open(port: number, { cert, key }: Credential, alpn: string): Promise<TLSSocket> {
  const socket = connect({
    host: "127.0.0.1",
    port,
    cert,
    key,
    ALPNProtocols: [alpn],
    rejectUnauthorized: false,
  });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}
