/** DISABLE to STRICT while somebody is away, and under load: who is waited for, and that nobody loses a request for it. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { httpCaller } from "./callers.ts";
import { startTraffic } from "./load.ts";
import { host, member, peerAuthentication, type Mode } from "./manifests.ts";
import { PolicyMesh, type ProxyStatus } from "./policy-mesh.ts";
import type { Traffic } from "./traffic.ts";

const at = "shop/default";
const servers: readonly string[] = ["api-1", "api-2", "db-1"];
const batch = "spiffe://mesh.test/ns/web/sa/batch";

describe("on the way from DISABLE to STRICT", { timeout: 180_000 }, () => {
  let mesh: PolicyMesh;
  let traffic: Traffic;
  let owned: AsyncDisposableStack;

  beforeEach(async () => {
    owned = new AsyncDisposableStack();
    mesh = owned.use(await PolicyMesh.open({ modes: [peerAuthentication(at, "DISABLE")] }));
    await mesh.untilInForce();
    traffic = owned.use(startTraffic(mesh).traffic);
  });
  afterEach(async () => owned.disposeAsync());

  const set = (mode: Mode): Promise<void> =>
    mesh.changed(() => mesh.write("modes", [peerAuthentication(at, mode)]));

  it("servers wait for a client whose agent hangs, and name it", async () => {
    mesh.agent("batch").freeze();
    await set("STRICT");
    await mesh.until(isHeldFor("batch-1"), "all servers to wait for batch-1 alone");
    await assertSends(traffic, { web: "mtls", batch: "plaintext" });
    assert.match((await mesh.say("mtls", "status")).out, /waits for .*batch-1/);
    mesh.agent("batch").thaw();
    await mesh.untilInForce({ [host.api]: "strict", [host.db]: "strict" });
    await assertNoneLost(traffic);
  });

  it("a server that is started anew waits for it as well", async () => {
    mesh.agent("batch").freeze();
    await set("STRICT");
    await mesh.until(isHeldFor("batch-1"), "all servers to wait for batch-1 alone");
    await mesh.server.kill();
    await sleep(1_000);
    await mesh.server.start();
    await mesh.until(isHeldFor("batch-1"), "all servers to wait for batch-1 alone");
    await assertSends(traffic, { web: "mtls", batch: "plaintext" });
    mesh.agent("batch").thaw();
    await mesh.untilInForce({ [host.api]: "strict", [host.db]: "strict" });
    await assertNoneLost(traffic);
  });

  it("an agent that is killed goes on from its disk, and its Envoys serve all the time", async () => {
    mesh.agent("batch").freeze();
    await set("STRICT");
    await mesh.until(isHeldFor("batch-1"), "all servers to wait for batch-1 alone");
    for (const name of ["batch", "node", "web"] as const) {
      await mesh.agent(name).kill();
      await mesh.agent(name).restart();
    }
    await mesh.untilInForce({ [host.api]: "strict", [host.db]: "strict" });
    await assertSends(traffic, { web: "mtls", batch: "mtls" });
    await assertNoneLost(traffic);
  });

  it("all stays as it is while the server is away, for Envoys and agents that begin anew, too", async () => {
    mesh.agent("batch").freeze();
    await set("STRICT");
    await mesh.until(isHeldFor("batch-1"), "all servers to wait for batch-1 alone");
    await mesh.server.kill();
    for (const name of ["node", "web"] as const) {
      await mesh.agent(name).kill();
      await mesh.agent(name).restart();
    }
    await sleep(3_000);
    await assertSends(traffic, { web: "mtls", batch: "plaintext" });
    await assertNoneLost(traffic);
    // It may find what it is to do in what it has not read yet: that was sent to it when it could be.
    mesh.agent("batch").thaw();
    await Promise.all(["web-1", "api-1", "db-1"].map((name) => mesh.envoy(name).restart()));
    await Promise.all(["web-1", "api-1", "db-1"].map((name) => mesh.envoy(name).live()));
    const door = { address: member("web-1").address, port: mesh.callPort(host.api) };
    using caller = httpCaller({ door, host: host.api, kept: 0 });
    assert.equal(await caller.call(), "spiffe://mesh.test/ns/web/sa/web");
    await mesh.server.start();
    await mesh.untilInForce({ [host.api]: "strict", [host.db]: "strict" });
  });
});

function isHeldFor(name: string): (all: readonly ProxyStatus[]) => boolean {
  return (all) =>
    servers.every((server) => {
      const status = all.find(({ proxy }) => proxy === server);
      return (
        status?.ports.every(
          ({ inForce, wanted }) => inForce === "permissive" && wanted === "strict",
        ) &&
        status.waits.length > 0 &&
        status.waits.every(
          ({ step, for: names }) =>
            step === "stop-plaintext" && names.length === 1 && names[0] === `${batch} ${name}`,
        )
      );
    });
}

type Sent = "mtls" | "plaintext";

async function assertSends(
  traffic: Traffic,
  expected: { readonly web: Sent; readonly batch: Sent },
): Promise<void> {
  await sleep(200);
  const tallies = await traffic.during(() => sleep(1_000));
  for (const [load, sent] of [
    ["http", expected.web],
    ["batch", expected.batch],
  ] as const) {
    const { mtls = 0, plaintext = 0 } = tallies.get(load) ?? {};
    const [right, wrong] = sent === "mtls" ? [mtls, plaintext] : [plaintext, mtls];
    assert.ok(right > 0 && wrong === 0, `${load}: ${mtls} mTLS, ${plaintext} plaintext`);
  }
}

async function assertNoneLost(traffic: Traffic): Promise<void> {
  await traffic.stop();
  assert.deepEqual(traffic.failures, []);
  assert.ok(traffic.sent > 500, `${traffic.sent} sent`);
}
