/** Modes of servers under load, changed by the operator in every way that he has: who loses what. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KeptTcp } from "./callers.ts";
import { httpLoads, startTraffic } from "./load.ts";
import { host, peerAuthentication, type Mode } from "./manifests.ts";
import { assertOutsiderIsServed } from "./outsider.ts";
import { PolicyMesh } from "./policy-mesh.ts";

const at = "istio-system/default";
const changed = "istio-system/applied";

/** What an operator does, and what holds then: what is applied is older than what only stands in a file. */
const changes: readonly (readonly [Mode, string, (mesh: PolicyMesh) => Promise<void>])[] = [
  ["STRICT", "a file", async (mesh) => mesh.write("modes", [peerAuthentication(at, "STRICT")])],
  [
    "PERMISSIVE",
    "a file",
    async (mesh) => mesh.write("modes", [peerAuthentication(at, "PERMISSIVE")]),
  ],
  ["DISABLE", "apply", (mesh) => apply(mesh, "DISABLE")],
  ["STRICT", "apply", (mesh) => apply(mesh, "STRICT")],
  ["PERMISSIVE", "delete", (mesh) => done(mesh, "delete", "pa", "applied", "-n", "istio-system")],
];

test("modes change under 300 requests a second", { timeout: 100_000 }, async (t) => {
  await using mesh = await PolicyMesh.open({ modes: [peerAuthentication(at, "PERMISSIVE")] });
  await mesh.untilInForce();
  const { traffic, kept } = startTraffic(mesh);
  await using running = traffic;
  await sleep(1_000);
  for (const [mode, way, change] of changes) {
    await t.test(
      `to ${mode} by ${way}: what goes over the wire, and what an outsider gets`,
      async () => {
        await mesh.changed(() => change(mesh));
        if (way === "apply" && mode === "STRICT") await untilCounted(mesh, kept.length);
        const taken = mode.toLowerCase();
        await mesh.untilInForce({ [host.api]: taken, [host.grpc]: taken, [host.db]: taken });
        if (way === "apply" && mode === "STRICT") assertClosed(kept, 2);
        await assertWire(mesh, running, mode === "DISABLE" ? "plaintext" : "mtls");
        await assertOutsiderIsServed(mesh, mode !== "STRICT");
        if (mode === "DISABLE") await untilClosed(kept, 1);
      },
    );
  }
  await t.test(
    "loses no request of a client that the decision allows, slow ones included",
    async () => {
      await running.stop();
      assert.deepEqual(running.failures, []);
      assert.equal(running.failed, 0);
      assert.ok(running.sent >= 2_000, `${running.sent} sent`);
    },
  );
  await t.test(
    "a kept TCP connection is closed when its port takes it no more, and no other time",
    () => {
      assertClosed(kept, 2);
      const asked = kept.reduce((sum, each) => sum + each.asked, 0);
      t.diagnostic(`${asked} messages were asked again on the next connection`);
    },
  );
});

/** What `mtls status` says while they drain: it counts as done when they are gone. */
async function untilCounted(mesh: PolicyMesh, connections: number): Promise<void> {
  await mesh.until((all) => {
    const ports = all.find(({ proxy }) => proxy === "db-1")?.ports ?? [];
    return ports.some(
      ({ inForce, openPlaintext }) => inForce === "strict" && openPlaintext === connections,
    );
  }, `${connections} open plaintext connections`);
}

function assertClosed(kept: readonly KeptTcp[], times: number): void {
  assert.deepEqual(
    kept.map(({ closed }) => closed),
    kept.map(() => times),
  );
}

async function untilClosed(kept: readonly KeptTcp[], times: number): Promise<void> {
  for (const endMs = performance.now() + 15_000; performance.now() < endMs; await sleep(50)) {
    // And by then each is open again, the other way.
    if (kept.every(({ closed }) => closed === times)) return sleep(300);
  }
  assert.fail(`closed: ${kept.map(({ closed }) => closed).join(", ")}, expected each ${times}`);
}

async function apply(mesh: PolicyMesh, mode: Mode): Promise<void> {
  await done(mesh, "apply", "-f", mesh.file("applied.yaml", [peerAuthentication(changed, mode)]));
}

async function done(mesh: PolicyMesh, ...argv: readonly string[]): Promise<void> {
  const { code, err } = await mesh.say(...argv);
  // Two objects say something of the whole mesh: that is a warning.
  assert.ok(code === 0 || code === 3, err);
}

/** HTTP's applications say by whom they were called; of TCP's the server's Envoy counts the handshakes. */
async function assertWire(
  mesh: PolicyMesh,
  traffic: Awaited<ReturnType<typeof startTraffic>>["traffic"],
  kind: "mtls" | "plaintext",
): Promise<void> {
  // Requests of before have been answered.
  await sleep(200);
  const envoy = mesh.envoy("db-1");
  const { port } = mesh.service(host.db);
  const count = async (name: string) => envoy.count(`^listener.inbound_${port}\\.${name}$`);
  const before = [await count("downstream_cx_total"), await count("ssl\\.handshake")];
  const tallies = await traffic.during(() => sleep(1_000));
  const after = [await count("downstream_cx_total"), await count("ssl\\.handshake")];
  for (const name of httpLoads) {
    const { [kind]: right = 0, mtls = 0, plaintext = 0 } = tallies.get(name) ?? {};
    assert.ok(
      right >= 20 && right === mtls + plaintext,
      `${name}: ${mtls} mTLS, ${plaintext} plaintext`,
    );
  }
  const [connections = 0, handshakes = 0] = after.map((each, at) => each - (before[at] ?? 0));
  const expected = kind === "mtls" ? connections : 0;
  assert.ok(connections >= 20, `${connections} connections`);
  // One may be in the middle of its handshake.
  assert.ok(Math.abs(handshakes - expected) <= 1, `${handshakes} handshakes of ${connections}`);
}
