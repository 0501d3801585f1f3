/** Gates of a server that was started again with a clock that is ahead: what has expired by its word alone has not. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acceptClock } from "../../src/edge/rpc/command-client.ts";
import { pruneLog } from "../../src/edge/rpc/prune-log-client.ts";
import { addWaivers, expandWaiver } from "../../src/edge/rpc/root-client.ts";
import type { RootStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { meshIdentity, openMeshStream } from "./mesh-client.ts";
import { dialWire, sign } from "./grpc-wire.ts";
import { laggards, status } from "./mesh-evidence-rig.ts";
import * as rig from "./rotation-rig.ts";

const [minuteMs, hourMs] = [60_000, 3_600_000];
const claim = { reason: "seen to", operator: "alice" };
/** Before now, which is what agents here go by: so the server that is ahead of its log can be verified by them. */
const agoMs = 40 * minuteMs;

/** A server whose clock was this far behind ours. */
function start(dataDir: string, behindMs: number): Promise<TestControlPlane> {
  const nowMs = (): number => Date.now() - behindMs;
  return startControlPlane({ flags: { "data-dir": dataDir }, nowMs });
}

/** A certificate of `shop/cart` for 10 minutes, from then. */
async function issue(it: TestControlPlane, agentId: string): Promise<void> {
  await using connection = dialWire(it);
  const thenSeconds = Math.floor((Date.now() - 2 * agoMs) / 1_000);
  const { code, message } = await sign(connection, {
    authorization: `Bearer ${mint({ iat: thenSeconds, nbf: thenSeconds })}`,
    headers: { "portcullis-agent-id": agentId },
    message: { validityDuration: 600n },
  });
  assert.equal(code, 0, message);
}

/** With a certificate under the root that retires. */
async function retiring(dataDir: string): Promise<void> {
  await using it = await start(dataDir, agoMs);
  await issue(it, "cart");
  await rig.prepare(it);
  const { admin } = it.controlPlane.endpoints;
  await status(it);
  const { laggards: found, rootsSequence } = await expandWaiver(admin, "*cart*", "activate");
  const names = found.map(({ name }) => name);
  const untilMs = Date.now() - agoMs + hourMs;
  await addWaivers(admin, { ...claim, names, untilMs, rootsSequence });
  await rig.step(it, "activate");
}

/** Names and reasons of what `retire` waits for, once the server has read its log. */
async function holders(it: TestControlPlane): Promise<readonly string[]> {
  return await eventually(async () => {
    const found: RootStatus = await rig.status(it, 100);
    const { id } = found.authorities.find(({ state }) => state === "retiring") ?? {};
    const { named = [] } = found.holders.find(({ authorityId }) => authorityId === id) ?? {};
    const words = named.map(({ name, reason }) => `${name.replace(/\/.*/, "")} ${reason}`);
    return !words.some((each) => /rebuilding|own-certificate/.test(each)) && words;
  });
}

/** An agent of another workload, whose clock this is. */
async function hello(it: TestControlPlane, aheadMs: number): Promise<Disposable> {
  const stream = openMeshStream(it, await meshIdentity(it, "web", 600, "web"));
  stream.hello("web", aheadMs);
  await eventually(() => stream.received.length > 0);
  return stream;
}

describe("a server that was restarted with a clock that is 40 minutes ahead", () => {
  it("waits for certificates that have expired by its word alone, and says so", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    await using it = await start(directory.path, 0);
    assert.deepEqual(await holders(it), ["server clock", "certificate unexpired"]);
    const refusal = rig.refusedOf(await rig.send(it, { kind: "retire" }));
    assert.equal(refusal.code, "holders-left");
    assert.match(refusal.laggards[0]?.detail ?? "", /^its clock is (39m\d+s|40m0s) ahead/);
    assert.match(refusal.hint, /portcullis clock accept --reason TEXT; .* portcullis root retire/);
  });

  it("waits as long through any number of restarts with that clock, whatever its log says", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    for (let restart = 0; restart < 3; restart++) {
      await using it = await start(directory.path, 0);
      assert.deepEqual(await holders(it), ["server clock", "certificate unexpired"]);
    }
  });

  it("goes on when an operator says that it is right", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    await using it = await start(directory.path, 0);
    assert.deepEqual(await holders(it), ["server clock", "certificate unexpired"]);
    const { jumpMs } = await acceptClock(it.controlPlane.endpoints.admin, claim);
    assert.ok(Math.abs(Number(jumpMs) - agoMs) < minuteMs);
    await rig.step(it, "retire");
  });

  it("goes on when an agent's clock says the same", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    await using it = await start(directory.path, 0);
    using _ = await hello(it, 0);
    assert.deepEqual(await holders(it), []);
    await rig.step(it, "retire");
  });

  it("waits when an agent's clock says another time, or none", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    await using it = await start(directory.path, 0);
    using silent = openMeshStream(it, await meshIdentity(it, "web", 600, "web"));
    silent.send({ case: "hello", value: { agentId: "web" } });
    await eventually(() => silent.received.length > 0);
    assert.deepEqual(await holders(it), ["server clock", "certificate unexpired"]);
    using _ = await hello(it, -agoMs);
    // By the difference of clocks, the wall clock's word is that it waits, too.
    assert.deepEqual(await holders(it), ["certificate unexpired"]);
  });

  it("waits for owners of such certificates before it activates", async () => {
    using directory = temporaryDirectory();
    {
      await using it = await start(directory.path, agoMs);
      await issue(it, "cart");
      await rig.prepare(it);
    }
    await using it = await start(directory.path, 0);
    const cart = "agent/cart@spiffe://cluster.local/ns/shop/sa/cart never-connected";
    assert.deepEqual(await laggards(it), [cart, "server/clock clock"]);
  });

  it("forgets no entry of the log by that clock", async () => {
    using directory = temporaryDirectory();
    await retiring(directory.path);
    await using it = await start(directory.path, 0);
    const before = Date.now() - 10 * minuteMs;
    const asked = pruneLog(it.controlPlane.endpoints.admin, {
      beforeMs: before,
      operator: "alice",
    });
    await assert.rejects(asked, /the word of the server's clock/);
  });
});

describe("a server that was away for 40 minutes", () => {
  it("asks for nothing where nothing waits for its clock", async () => {
    using directory = temporaryDirectory();
    {
      await using _ = await start(directory.path, agoMs);
    }
    await using it = await start(directory.path, 0);
    await rig.prepare(it);
    await rig.step(it, "activate");
    await rig.step(it, "retire");
  });
});
