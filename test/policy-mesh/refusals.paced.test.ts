/** What an Envoy refuses, and whom it concerns: nobody else waits, and the operator reads which object it was. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { httpCaller } from "./callers.ts";
import { destinationRule, host, manifest, member, peerAuthentication } from "./manifests.ts";
import { PolicyMesh, type ProxyStatus } from "./policy-mesh.ts";

const web = "spiffe://mesh.test/ns/web/sa/web";
const batch = "spiffe://mesh.test/ns/web/sa/batch";

test("what an Envoy refuses", { timeout: 60_000 }, async (t) => {
  await using mesh = await PolicyMesh.open({
    modes: [peerAuthentication("shop/default", "PERMISSIVE")],
  });
  await mesh.untilInForce();
  const caller = (name: string) => {
    const door = { address: member(name).address, port: mesh.callPort(host.api) };
    return httpCaller({ door, host: host.api, kept: 0 });
  };
  using ofWeb = caller("web-1");
  using ofBatch = caller("batch-1");
  const roots = mesh.path("roots.pem");
  const rule = manifest("networking.istio.io/v1", "DestinationRule", "web/simple", {
    host: host.api,
    workloadSelector: { matchLabels: { app: "web" } },
    trafficPolicy: { tls: { mode: "SIMPLE", caCertificates: roots } },
  });

  await t.test(
    "stops there, with Envoy's words and the object's name; all others go on",
    async () => {
      await mesh.changed(() => mesh.write("rules", [rule]));
      await mesh.until((all) => all.some(({ refusal }) => refusal !== null), "a refusal");
      const all = await mesh.status();
      const { state, refusal } = await mesh.statusOf("web-1");
      assert.equal(state, "refused");
      assert.match(refusal?.detail ?? "", /roots\.pem/);
      const [object] = refusal?.objects ?? [];
      assert.equal(`${object?.kind} ${object?.name}`, "DestinationRule simple");
      const { out, code } = await mesh.say("mtls", "status");
      assert.equal(code, 4);
      assert.match(out, /web\/web-1: Envoy has refused .*DestinationRule web\/simple.*last good/);
      for (const { proxy, state: other } of all) {
        if (proxy !== "web-1") assert.equal(other, "in-force", proxy);
      }
    },
  );
  await t.test("leaves in force what was good", async () => {
    assert.equal(await ofWeb.call(), web);
    assert.equal(await ofBatch.call(), batch);
  });
  await t.test("holds back no change of somebody else's", async () => {
    await mesh.changed(() => mesh.write("more", [peerAuthentication("other/default", "STRICT")]));
    await mesh.until(
      (all) =>
        all.some(
          ({ proxy, state, ports }) =>
            proxy === "other-1" &&
            state === "in-force" &&
            ports.every(({ inForce }) => inForce === "strict"),
        ),
      "other-1 to be strict",
    );
  });
  await t.test("is still refused after its agent's restart, and is said again", async () => {
    await mesh.agent("web").kill();
    await mesh.until(stateIs("web-1", "silent"), "web-1 to be silent");
    await mesh.agent("web").restart();
    await mesh.until(stateIs("web-1", "refused"), "the refusal again");
    assert.equal(await ofWeb.call(), web);
  });
  await t.test("is in force when it is mended", async () => {
    const mended = destinationRule("web/simple", host.api, { mode: "ISTIO_MUTUAL" });
    await mesh.changed(() => mesh.write("rules", [mended]));
    await mesh.untilInForce();
    const { refusal } = await mesh.statusOf("web-1");
    assert.equal(refusal, null);
    assert.equal((await mesh.say("mtls", "status")).code, 0);
    assert.equal(await ofWeb.call(), web);
  });
  await t.test("is an address, too, on which it cannot listen", async () => {
    const bad = manifest("networking.istio.io/v1", "Sidecar", "other/bad", {
      workloadSelector: { labels: { app: "other" } },
      ingress: [
        {
          port: { number: mesh.service(host.otherTcp).port, protocol: "TCP" },
          bind: "192.0.2.1",
          defaultEndpoint: "127.0.0.1:1",
        },
      ],
    });
    const oldest = { name: "bad", namespace: "other", creationTimestamp: "2020-01-01T00:00:00Z" };
    await mesh.changed(() => mesh.write("bad", [{ ...bad, metadata: oldest }]));
    await mesh.until(stateIs("other-1", "refused"), "a refusal");
    const { refusal, ports } = await mesh.statusOf("other-1");
    assert.match(refusal?.detail ?? "", /cannot bind '192\.0\.2\.1:/);
    assert.deepEqual(refusal?.objects[0], { kind: "Sidecar", namespace: "other", name: "bad" });
    assert.deepEqual(
      ports.map(({ inForce }) => inForce),
      ["strict", "strict"],
    );
    await mesh.changed(() => mesh.write("bad", []));
    await mesh.untilInForce();
  });
});

function stateIs(name: string, expected: string): (all: readonly ProxyStatus[]) => boolean {
  return (all) => all.some(({ proxy, state }) => proxy === name && state === expected);
}
