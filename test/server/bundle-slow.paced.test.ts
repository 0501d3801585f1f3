/** Slow and greedy strangers at the bundle endpoint, by the real clock. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";

import { eventually } from "../support/control-plane.ts";
import { ask, startBundleRig, type BundleRig } from "./bundle-rig.ts";

/** Limits are 10 s; they are looked at once in a second. */
const patienceMs = 13_000;
const connectionsMax = 1_000;

test("sends everybody away who is slow, at any stage, and serves the others meanwhile", async () => {
  await using rig = await startBundleRig();
  const stages = await Promise.all([
    lifeMs("says nothing", tcp(rig)),
    lifeMs(
      "shakes hands and says nothing",
      tls(rig, () => {}),
    ),
    lifeMs(
      "sends a header a byte at a time",
      tls(rig, (socket) => {
        socket.write("GET / HTTP/1.1\r\nX-A: ");
        const timer = setInterval(() => socket.write("a"), 500);
        socket.on("close", () => clearInterval(timer));
      }),
    ),
    lifeMs(
      "announces a body",
      tls(rig, (socket) => socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")),
    ),
    lifeMs(
      "stays after his answer",
      tls(rig, (socket) => {
        socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      }),
    ),
    ask(rig.endpoint.url, { ca: rig.parts.rootPem }).then(({ status }) => {
      assert.equal(status, 200);
      return undefined;
    }),
  ]);
  for (const stage of stages) {
    if (stage === undefined) continue;
    assert.ok(stage.ms < patienceMs, `${stage.who}: ${stage.ms} ms`);
  }
});

test(`has ${connectionsMax} connections at most, and places again when they end`, async () => {
  await using rig = await startBundleRig();
  const idle = Array.from({ length: connectionsMax }, () => tcp(rig));
  await Promise.all(idle.map((socket) => once(socket, "connect")));
  const { who, ms } = await lifeMs("comes last", tcp(rig));
  assert.ok(ms < 2_000, `${who}: ${ms} ms`);
  for (const socket of idle) socket.destroy();
  const again = () => ask(rig.endpoint.url, { ca: rig.parts.rootPem }).catch(() => undefined);
  assert.equal((await eventually(again)).status, 200);
});

function tcp({ port }: BundleRig): Socket {
  return connectTcp({ host: "127.0.0.1", port }).on("error", () => {});
}

function tls(rig: BundleRig, afterHandshake: (socket: Socket) => void): Socket {
  const { port, parts } = rig;
  const socket = connectTls({ host: "127.0.0.1", port, ca: parts.rootPem });
  socket.once("secureConnect", () => afterHandshake(socket));
  return socket.on("error", () => {});
}

/** How long the server lets it live. */
async function lifeMs(who: string, socket: Socket) {
  const startedMs = performance.now();
  // Without reading nobody learns of the end.
  socket.on("end", () => socket.destroy()).resume();
  // A reset is an end like any other.
  await new Promise((resolve) => socket.once("close", resolve));
  return { who, ms: performance.now() - startedMs };
}
