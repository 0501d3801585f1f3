/** A port of a real Envoy while its mode changes: whose connections live on, and who is counted until he is gone. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { openConnectionsStat } from "../../src/core/envoy/chain-stats.ts";
import type { InboundChain } from "../../src/core/envoy/inbound-chains.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { listen } from "./apps.ts";
import { clientId, MeshPki, serverId } from "./certificates.ts";
import { inboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";

interface Scene {
  readonly mesh: MeshPki;
  readonly tcp: number;
  readonly http: number;
  readonly server: TestProxy;
  readonly setMode: (mode: ServerMode) => Promise<void>;
}

const plaintextChains: readonly (readonly [
  "tcp" | "http",
  Pick<InboundChain, "name" | "filter">,
])[] = [
  ["tcp", { name: "plaintext-tcp", filter: "tcp" }],
  ["http", { name: "plaintext-http", filter: "http" }],
];

test("a change of mode in a real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const scene = await openScene(stack, directory.path);
  const { setMode, server, tcp, http } = scene;
  const kept = { tcp: await openMtls(scene, tcp), http: await openMtls(scene, http) };
  const plain = { tcp: await openPlain(tcp), http: await openPlain(http) };
  const openOf = async (port: number, chain: (typeof plaintextChains)[number][1]) => {
    const stats = await server.envoy.stats(`inbound_${port}`);
    return stats.get(openConnectionsStat(port, chain)) ?? 0;
  };

  await t.test("counts who is open on a chain", async () => {
    for (const [protocol, chain] of plaintextChains) {
      assert.equal(await openOf(scene[protocol], chain), 1);
    }
    assert.equal(await openOf(tcp, { name: "mtls-tcp", filter: "tcp" }), 1);
    assert.equal(await openOf(http, { name: "mtls-http", filter: "http" }), 1);
  });
  await t.test(
    "to strict: changes chains in place, and lets plaintext live until it has drained",
    async () => {
      const closed = [once(plain.tcp, "close"), once(plain.http, "close")];
      await setMode("strict");
      const stats = await server.envoy.stats("listener_manager");
      assert.equal(stats.get("listener_manager.listener_in_place_updated"), 2);
      for (const [protocol, chain] of plaintextChains) {
        assert.equal(await openOf(scene[protocol], chain), 1, "while it drains");
      }
      await server.untilDrained();
      await Promise.all(closed);
      for (const [protocol, chain] of plaintextChains) {
        assert.equal(await openOf(scene[protocol], chain), 0);
      }
    },
  );
  await t.test(
    "lets mTLS connections live through every change between permissive and strict",
    async () => {
      for (const mode of ["permissive", "strict", "permissive"] as const) {
        await setMode(mode);
        assert.equal(await say(kept.tcp), "pong");
        assert.equal(await say(kept.http), "pong");
      }
      await server.untilDrained();
      assert.equal(await say(kept.tcp), "pong");
      assert.equal(await say(kept.http), "pong");
    },
  );
  await t.test("to disable and back: ends what is not taken, and takes it again", async () => {
    const closed = [once(kept.tcp, "close"), once(kept.http, "close")];
    await setMode("disable");
    await server.untilDrained();
    await Promise.all(closed);
    await setMode("permissive");
    const again = await openMtls(scene, tcp);
    assert.equal(await say(again), "pong");
    again.destroy();
  });
});

async function openScene(stack: AsyncDisposableStack, directory: string): Promise<Scene> {
  const mesh = new MeshPki(join(directory, "mesh"));
  const app = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (said: Buffer) => {
      const isHttp = said.includes("HTTP/1.1");
      socket.write(isHttp ? "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong" : "pong");
    });
  });
  const to = await listen(stack, app);
  const [tcp, http] = [await freePort(), await freePort()];
  const server = await TestProxy.start(join(directory, "server"), mesh.secrets(serverId));
  stack.use(server);
  const setMode = async (mode: ServerMode): Promise<void> =>
    server.apply({
      inbound: [inboundPort(tcp, "tcp", mode, to), inboundPort(http, "http", mode, to)],
    });
  await setMode("permissive");
  return { mesh, tcp, http, server, setMode };
}

async function openPlain(port: number): Promise<Socket> {
  const socket = connectTcp({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  assert.equal(await say(socket), "pong");
  return socket;
}

async function openMtls({ mesh }: Scene, port: number): Promise<Socket> {
  const { cert, key } = mesh.issue(clientId);
  const alpn = { ALPNProtocols: ["istio-http/1.1", "istio"] };
  const options = { host: "127.0.0.1", port, cert, key, rejectUnauthorized: false, ...alpn };
  const socket = connectTls(options);
  socket.on("error", () => undefined);
  assert.equal(await say(socket), "pong");
  return socket;
}

/** A request that both kinds of port answer. */
async function say(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: app\r\n\r\n");
  const [answer]: Buffer[] = await once(socket, "data", { signal: AbortSignal.timeout(5_000) });
  return answer?.subarray(-4).toString("latin1") ?? "";
}
