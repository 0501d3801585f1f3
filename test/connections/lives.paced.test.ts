/** Connections to a real Envoy while its agent goes and comes back, and when Envoy itself ends. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AcknowledgedLives } from "../../src/app/agent/connections/acknowledged-lives.ts";
import type { ResumedLife } from "../../src/app/agent/connections/resumed-life.ts";
import { policyKey } from "../../src/core/policy/policy-report.ts";
import { listen } from "../policy-envoy/apps.ts";
import { callPlain, callTls, tcpMessage } from "../policy-envoy/caller.ts";
import { clientId, type Credential } from "../policy-envoy/certificates.ts";
import { ConnectionScene, type ToldConnections } from "./scene.ts";

test("tells of plaintext within a second of its beginning, and how long it lasts", async () => {
  await using scene = await ConnectionScene.open();
  await using stack = new AsyncDisposableStack();
  const app = await listen(stack, createServer(answer));
  const kinds = [
    { protocol: "tcp", mode: "permissive" },
    { protocol: "http", mode: "permissive" },
  ] as const;
  const ports = await scene.listen(kinds, app);
  await scene.told(ports);
  const { connections } = scene.rig;
  const isNew = Promise.withResolvers<void>();
  connections.onNew = isNew.resolve;
  const sockets = await Promise.all(ports.map(openPlain));
  const beganMs = Date.now();
  await isNew.promise;
  assert.ok(Date.now() - beganMs < 1_000);
  const early = await scene.told(ports);
  await sleep(1_000);
  const late = await scene.told(ports);
  for (const { port } of ports) {
    const [first] = early.from(port, "127.0.0.1");
    assert.equal(first?.count, 1);
    const [still] = late.from(port, "127.0.0.1");
    assert.equal(still?.count, 0, "it is the same one");
    assert.ok(still.lastMs >= beganMs + 1_000);
    const unnamed = late.all.flatMap(({ coverage }) => coverage.map((each) => each.openUnnamed));
    assert.ok(unnamed.every((count) => count === 0));
  }
  for (const socket of sockets) socket.destroy();
});

test("counts as lost what was called while there was no agent, and no more", async () => {
  await using scene = await ConnectionScene.open();
  const [{ port } = { port: 0 }] = await scene.listen([{ protocol: "tcp", mode: "permissive" }]);
  const ports = [{ port }];
  const client = scene.mesh.issue(clientId);
  await callOften(port, client, { plaintext: 2, mtls: 3 });
  const before = await scene.told(ports);
  assert.deepEqual(countsOf(before, port), { plaintext: 2, mtls: 3 });

  scene.killAgent();
  await callOften(port, client, { plaintext: 5, mtls: 4 });
  await scene.startAgent(resumedFrom(before));
  const after = await scene.told(ports);
  assert.deepEqual(after.lost(port), { unmeshed: 5, meshed: 4 });
  const last = before.all.flatMap(({ coverage }) => coverage).at(-1);
  const [first] = after.all.flatMap(({ coverage }) => coverage);
  assert.equal(first?.sinceMs, last?.untilMs, "there is no gap");
  await callOften(port, client, { plaintext: 1, mtls: 1 });
  const later = await scene.told(ports);
  assert.deepEqual(countsOf(later, port), { plaintext: 1, mtls: 1 });
  assert.deepEqual(later.lost(port), { unmeshed: 0, meshed: 0 });
});

test("goes on without a loss and without a gap where nobody called meanwhile", async () => {
  await using scene = await ConnectionScene.open();
  const [{ port } = { port: 0 }] = await scene.listen([{ protocol: "tcp", mode: "permissive" }]);
  const client = scene.mesh.issue(clientId);
  await callOften(port, client, { plaintext: 2, mtls: 0 });
  const before = await scene.told([{ port }]);
  scene.killAgent();
  await scene.startAgent(resumedFrom(before));
  const after = await scene.told([{ port }]);
  assert.deepEqual(after.lost(port), { unmeshed: 0, meshed: 0 });
  assert.deepEqual(after.seen(port), []);
  const last = before.all.flatMap(({ coverage }) => coverage).at(-1);
  const [first] = after.all.flatMap(({ coverage }) => coverage);
  assert.equal(first?.sinceMs, last?.untilMs);
});

test("knows all connections of an Envoy that is told to end, and begins anew with the next one", async () => {
  await using scene = await ConnectionScene.open();
  const [inbound] = await scene.listen([{ protocol: "tcp", mode: "permissive" }]);
  assert(inbound);
  const { port } = inbound;
  const client = scene.mesh.issue(clientId);
  await scene.told([{ port }]);
  await callOften(port, client, { plaintext: 3, mtls: 2 });
  const open = await openPlain({ port });
  await scene.stopEnvoy();
  await scene.startEnvoy();
  await scene.apply([inbound]);
  await callOften(port, client, { plaintext: 1, mtls: 0 });
  const told = await scene.told([{ port }]);
  assert.deepEqual(countsOf(told, port), { plaintext: 5, mtls: 2 });
  assert.deepEqual(told.lost(port), { unmeshed: 0, meshed: 0 });
  assert.equal(new Set(told.all.map(({ epochMs }) => epochMs)).size, 2);
  open.destroy();
});

interface Calls {
  readonly plaintext: number;
  readonly mtls: number;
}

async function callOften(port: number, credential: Credential, calls: Calls): Promise<void> {
  for (let at = 0; at < calls.plaintext; at++) await callPlain(port, tcpMessage);
  for (let at = 0; at < calls.mtls; at++) {
    await callTls(port, tcpMessage, { credential, alpn: ["istio"] });
  }
}

function countsOf(told: ToldConnections, port: number): Calls {
  const sum = (kind: string): number =>
    told
      .seen(port)
      .filter((each) => each.kind === kind)
      .reduce((all, { count }) => all + count, 0);
  return { plaintext: sum("plaintext"), mtls: sum("mtls") };
}

/** As an agent keeps what was acknowledged. */
function resumedFrom(told: ToldConnections): ResumedLife | undefined {
  const last = told.all.findLast(({ coverage }) => coverage.length > 0);
  assert(last);
  const lives = new AcknowledgedLives();
  lives.acknowledged(told.all);
  return lives.resumed(policyKey(last));
}

function answer(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong"));
}

async function openPlain({ port }: { readonly port: number }): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nhost: app\r\n\r\n");
  await once(socket, "data");
  return socket;
}
