import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HelloApp } from "./envoy.ts";
import { Wire } from "./wire.ts";

async function dial(wire: Wire): Promise<Socket> {
  const [host, port] = wire.address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port) });
  await once(socket, "connect");
  return socket;
}

async function say(socket: Socket): Promise<string> {
  const said: string[] = [];
  socket.on("data", (chunk) => said.push(chunk.toString()));
  socket.on("error", (error) => said.push(error.message));
  await once(socket, "close");
  return said.join("");
}

test("passes bytes, breaks what is cut, and passes again when it is mended", async () => {
  await using app = new HelloApp();
  await using wire = await Wire.open(`127.0.0.1:${await app.listen()}`);
  assert.equal(await say(await dial(wire)), "hello");
  wire.cut();
  // It may come before the connection counts as made, or after.
  const broken = dial(wire).then(say, (error: Error) => error.message);
  assert.match(await broken, /ECONNRESET/);
  wire.mend();
  assert.equal(await say(await dial(wire)), "hello");
});

test("keeps what comes while it stalls", async () => {
  await using app = new HelloApp();
  await using wire = await Wire.open(`127.0.0.1:${await app.listen()}`);
  wire.stall();
  const saying = say(await dial(wire));
  await sleep(50);
  assert.equal(app.connections, 0);
  wire.mend();
  assert.equal(await saying, "hello");
});
