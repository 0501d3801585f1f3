/** A real Envoy tells the agent of plaintext connections that are still open after a change to strict. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { adsBootstrap } from "../../src/core/envoy/ads-bootstrap.ts";
import { emptyPolicy, type ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { startEnvoy } from "../../src/edge/envoy/process.ts";
import { inboundPort } from "../policy-envoy/policies.ts";
import { freePort, testEnvoy, until } from "../support/envoy.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { secretSnapshot } from "../support/sds-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PolicyServicesRig } from "./policy-services-rig.ts";

const trustDomain = TrustDomain.parse("td.test");
const id = SpiffeId.forServiceAccount(trustDomain, "shop", "server");

test(
  "counts plaintext that a change to strict has found open, until it is gone",
  { timeout: 60_000 },
  async () => {
    using directory = temporaryDirectory();
    await using stack = new AsyncDisposableStack();
    const scene = await openScene(stack, directory.path);
    const { rig, ports } = scene;
    const { told } = rig.feed;
    await scene.setMode("permissive");
    const sockets = await Promise.all(ports.map(openPlain));
    await until(() => rig.feed.old === "gone", "a flush");
    assert.ok(
      told.every(({ size }) => size === 0),
      "nothing is draining where plaintext is taken",
    );

    await scene.setMode("strict");
    const strictMs = Date.now();
    assert.equal(rig.feed.old, "unproven");
    const closed = sockets.map(async (socket) => once(socket, "close"));
    await until(() => told.at(-1)?.size === 2, "both are counted");
    assert.deepEqual(told.at(-1), new Map(ports.map((port) => [port, 1])));
    assert.equal(rig.feed.old, "unproven");
    await Promise.all(closed);
    const drainedMs = Date.now() - strictMs;
    assert.ok(drainedMs < 2_000, `drained after ${drainedMs} ms`);
    await until(() => rig.feed.old === "gone", "nothing is open any more");
    assert.deepEqual(told.at(-1), new Map());
  },
);

interface Scene {
  readonly rig: PolicyServicesRig;
  /** For TCP, and for HTTP. */
  readonly ports: readonly number[];
  readonly setMode: (mode: ServerMode) => Promise<void>;
}

async function openScene(stack: AsyncDisposableStack, directory: string): Promise<Scene> {
  const app = stack.use(createServer(answer));
  const [appPort, tcp, http] = [await freePort(), await freePort(), await freePort()];
  app.listen(appPort, "127.0.0.1");
  const sdsSocketPath = join(directory, "sds.sock");
  const adminSocketPath = join(directory, "admin.sock");
  const rig = stack.use(new PolicyServicesRig(sdsSocketPath, id));
  await rig.start();
  const ca = new OpensslCa(directory, trustDomain);
  rig.publish(secretSnapshot(ca.secrets(ca.issue(id), 1n)));
  const frame = { nodeId: "server-0", nodeCluster: "shop", sdsSocketPath, adminSocketPath };
  const bootstrap = adsBootstrap({ ...frame, labels: new Map(), variant: "delta" });
  const envoyDirectory = join(directory, "envoy");
  mkdirSync(envoyDirectory);
  const binary = await testEnvoy();
  const envoy = stack.use(
    await startEnvoy({
      binary,
      bootstrap,
      adminSocketPath,
      directory: envoyDirectory,
      drainSeconds: 1,
    }),
  );
  const to = { kind: "ip", host: "127.0.0.1", port: appPort } as const;
  const setMode = async (mode: ServerMode): Promise<void> => {
    const inbound = [inboundPort(tcp, "tcp", mode, to), inboundPort(http, "http", mode, to)];
    const policy: ProxyPolicy = { ...emptyPolicy, inbound };
    const digest = rig.feed.feed.give(policy);
    await until(() => rig.feed.feed.acked.at(-1) === digest, "the policy is taken");
    await envoy.waitUntilLive(AbortSignal.timeout(10_000));
  };
  return { rig, ports: [tcp, http], setMode };
}

function answer(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong"));
}

async function openPlain(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nhost: app\r\n\r\n");
  await once(socket, "data");
  return socket;
}
