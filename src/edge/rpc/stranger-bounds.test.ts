import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { it } from "node:test";
import { StrangerBounds } from "./stranger-bounds.ts";

async function rig(bounds: StrangerBounds) {
  const owned = new AsyncDisposableStack();
  const entered: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (bounds.enter(socket)) entered.push(`${socket.remoteAddress}:${socket.remotePort}`);
    else socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  owned.defer(() => void server.close());
  const dial = async (localAddress = "127.0.0.1"): Promise<Socket> => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: "127.0.0.1", port, localAddress });
    socket.on("error", () => {});
    socket.resume();
    owned.defer(() => void socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return { dial, entered, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

it("lets few of an address in, another one's all the same, and more when one is gone", async () => {
  const bounds = new StrangerBounds({ perAddressMax: 2, provenWithinMs: 60_000 });
  await using scene = await rig(bounds);
  const first = await scene.dial();
  await scene.dial();
  await once(await scene.dial(), "close");
  assert.equal(scene.entered.length, 2);
  await scene.dial("127.0.0.2");
  first.destroy();
  while (scene.entered.length < 4) {
    const socket = await scene.dial();
    await Promise.race([once(socket, "close"), new Promise((resolve) => setTimeout(resolve, 50))]);
  }
});

it("counts nobody who has shown who he is", async () => {
  const bounds = new StrangerBounds({ perAddressMax: 1, provenWithinMs: 60_000 });
  await using scene = await rig(bounds);
  for (let known = 0; known < 5; known++) {
    await scene.dial();
    while (scene.entered.length === known) await new Promise(setImmediate);
    bounds.proven(scene.entered.at(-1) ?? "");
  }
  await scene.dial();
  await once(await scene.dial(), "close");
  assert.equal(scene.entered.length, 6);
});

it("ends a connection on which nobody shows who he is, and no other", async () => {
  const bounds = new StrangerBounds({ perAddressMax: 8, provenWithinMs: 200 });
  await using scene = await rig(bounds);
  const known = await scene.dial();
  while (scene.entered.length === 0) await new Promise(setImmediate);
  bounds.proven(scene.entered[0] ?? "");
  await once(await scene.dial(), "close");
  assert.equal(known.destroyed, false);
});
