/** What is said inside of mTLS, through two real Envoys or one: HTTP/2, upgrades, and servers that speak first. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { http2App, listen, speaksFirst, upgradingApp } from "./apps.ts";
import { callPlain, callTls, httpRequest, tcpMessage } from "./caller.ts";
import { clientId, MeshPki, serverId, type Credential } from "./certificates.ts";
import { inboundPort, meshCluster, outboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp } from "./watching-app.ts";

test("two real Envoys", { timeout: 30_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const mesh = new MeshPki(join(directory.path, "mesh"));
  const credential = mesh.issue(clientId);
  const watching = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
  const [h2, h1, auto, first] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const inbound = [
    { ...inboundPort(h2, "http", "strict", await listen(stack, http2App())), isHttp2: true },
    inboundPort(h1, "http", "permissive", await listen(stack, upgradingApp())),
    inboundPort(auto, "auto", "permissive", watching.address),
    inboundPort(first, "tcp", "permissive", await listen(stack, speaksFirst())),
  ];
  const [outH2, outH1, outFirst] = [await freePort(), await freePort(), await freePort()];
  const server = await TestProxy.start(join(directory.path, "server"), mesh.secrets(serverId));
  stack.use(server);
  const client = await TestProxy.start(join(directory.path, "client"), mesh.secrets(clientId));
  stack.use(client);
  await server.apply({ inbound });
  await client.apply({
    clusters: [
      { ...meshCluster({ port: h2 }, "http"), isHttp2: true },
      meshCluster({ port: h1 }, "http"),
      meshCluster({ port: first }, "tcp"),
    ],
    outbound: [
      outboundPort(outH2, "http", { port: h2 }),
      outboundPort(outH1, "http", { port: h1 }),
      outboundPort(outFirst, "tcp", { port: first }),
    ],
  });

  await t.test("carry HTTP/2 and its trailers, as gRPC needs them", async () => {
    const { body, trailer, protocol } = await callHttp2(outH2);
    assert.deepEqual({ body, trailer, protocol }, { body: "pong", trailer: "0", protocol: "2.0" });
  });
  await t.test(
    "speak HTTP/1.1 to an application that is said to, whatever the caller chose",
    async () => {
      const { body, protocol } = await callHttp2(h1, credential);
      assert.deepEqual({ body, protocol }, { body: "pong", protocol: "1.1" });
      assert.equal((await callHttp2(outH1)).protocol, "1.1");
    },
  );
  await t.test("carry an upgrade to a WebSocket", async () => {
    const headers = { connection: "upgrade", upgrade: "websocket" };
    const request = requestHttp({ port: outH1, host: "127.0.0.1", headers }).end();
    const socket = await new Promise<Socket>((resolve) => {
      request.on("upgrade", (_response, each: Socket) => resolve(each));
    });
    socket.write("echo");
    const [said]: Buffer[] = await once(socket, "data");
    assert.equal(String(said), "echo");
    socket.destroy();
  });
  await t.test(
    "let a server speak first, once it is clear that the caller speaks no TLS",
    async () => {
      const name = `listener.inbound_${first}.downstream_pre_cx_timeout`;
      for (const [port, waits] of [
        [outFirst, 0],
        [first, 1],
      ] as const) {
        assert.equal(await text(connectTcp({ host: "127.0.0.1", port })), "welcome");
        assert.equal((await server.envoy.stats(name)).get(name) ?? 0, waits);
      }
    },
  );
  await t.test("tell HTTP from everything else on a port that says nothing of itself", async () => {
    assert.match((await callPlain(auto, httpRequest)).text, /pong$/);
    assert.match((await callPlain(auto, tcpMessage)).text, /^pong$/);
    const alpn = ["istio-http/1.1", "istio", "http/1.1"];
    assert.match((await callTls(auto, httpRequest, { credential, alpn })).text, /pong$/);
    const opaque = { credential, alpn: ["istio"] };
    assert.match((await callTls(auto, tcpMessage, opaque)).text, /^pong$/);
    assert.match((await callTls(auto, tcpMessage)).text, /^pong$/);
    assert.equal(watching.said.length, 4);
    // It is removed where HTTP is seen.
    for (const said of watching.said) assert.ok(!said.includes("x-forwarded-client-cert"), said);
    assert.equal(watching.seen.at(-1), "tls");
  });
  await t.test("resume no session: a certificate is looked at each time", async () => {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const options = {
        host: "127.0.0.1",
        port: first,
        rejectUnauthorized: false,
        cert: credential.cert,
        key: credential.key,
        ALPNProtocols: ["istio"],
        maxVersion,
      };
      let session: Buffer | undefined;
      const one = connectTls(options).on("session", (ticket: Buffer) => (session = ticket));
      await text(one);
      const other: TLSSocket = connectTls({ ...options, ...(session && { session }) });
      await once(other, "secureConnect");
      assert.equal(other.isSessionReused(), false);
      other.destroy();
    }
  });
});

interface Http2Answer {
  readonly body: string;
  readonly trailer: string;
  /** That the application heard. */
  readonly protocol: string;
}

async function callHttp2(port: number, credential?: Credential): Promise<Http2Answer> {
  const session = connectHttp2(`${credential ? "https" : "http"}://127.0.0.1:${port}`, {
    ...(credential && { createConnection: () => offering(credential, port) }),
  });
  const stream = session.request({ ":path": "/" });
  let [trailer, protocol] = ["", ""];
  stream.on("response", (headers) => (protocol = String(headers["app-protocol"])));
  stream.on("trailers", (trailers) => (trailer = String(trailers["grpc-status"])));
  const body = await text(stream);
  session.destroy();
  return { body, trailer, protocol };
}

/** As another proxy of the mesh would; Node's own client offers `h2` alone. */
function offering(credential: Credential, port: number): TLSSocket {
  const { cert, key } = credential;
  const ALPNProtocols = ["istio-h2", "istio", "h2"];
  return connectTls({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    cert,
    key,
    ALPNProtocols,
  });
}
