/** A denial that has ended is forgotten; one that has ended by the word of a clock alone that was set forward holds on. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { acceptClock, addDenial, listDenials } from "../../src/edge/rpc/command-client.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { dialWire, sign } from "./grpc-wire.ts";

const target = "spiffe://cluster.local/ns/shop/sa/cart";
const claim = { operator: "alice", reason: "its node was taken over" };
const [minuteMs, hourMs] = [60_000, 3_600_000];
const denied = 7;

beforeEach(() => mock.timers.enable({ apis: ["setInterval"] }));
afterEach(() => mock.timers.reset());

async function deny({ controlPlane }: TestControlPlane, forMs: number): Promise<void> {
  const untilMs = Date.now() + forMs;
  await addDenial(controlPlane.endpoints.admin, { target, ...claim, untilMs });
}

async function isListed({ controlPlane }: TestControlPlane): Promise<boolean> {
  const { denials } = await listDenials(controlPlane.endpoints.admin);
  return denials.length > 0;
}

/** @returns the status of a request for a certificate of the denied identity */
async function ask(it: TestControlPlane): Promise<number> {
  await using connection = dialWire(it);
  const thenSeconds = Math.floor((Date.now() - 4 * hourMs) / 1_000);
  const token = mint({ iat: thenSeconds, nbf: thenSeconds });
  return (await sign(connection, { authorization: `Bearer ${token}` })).code;
}

test("a denial is forgotten within a minute of its end", async () => {
  await using it = await startControlPlane();
  await deny(it, minuteMs);
  mock.timers.tick(minuteMs);
  assert.equal(await ask(it), denied);
  assert.ok(await isListed(it));
  // What is proven may be a little behind the clock.
  it.advance(minuteMs + 1_000);
  assert.equal(await ask(it), 0);
  mock.timers.tick(minuteMs);
  await eventually(async () => !(await isListed(it)));
});

test("a clock that was set forward over a restart ends no denial, and has none forgotten", async () => {
  using data = temporaryDirectory();
  const flags = { "data-dir": data.path };
  // What is right here is behind ours, so that clients can verify a server whose clock is ahead.
  let behindMs = 3 * hourMs;
  const nowMs = (): number => Date.now() - behindMs;
  {
    await using it = await startControlPlane({ flags, nowMs });
    await deny(it, -2 * hourMs);
    assert.equal(await ask(it), denied);
  }
  behindMs = 15 * minuteMs;
  await using it = await startControlPlane({ flags, nowMs });
  behindMs = 0;
  mock.timers.tick(minuteMs);
  assert.equal(await ask(it), denied);
  assert.ok(await isListed(it));
  await acceptClock(it.controlPlane.endpoints.admin, claim);
  assert.equal(await ask(it), 0);
  mock.timers.tick(minuteMs);
  await eventually(async () => !(await isListed(it)));
});
