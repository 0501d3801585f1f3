/** Whom a change reaches: the Envoys that do something else because of it, all of them, and nobody else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { host, manifest, member, members, peerAuthentication, type Manifest } from "./manifests.ts";
import { PolicyMesh, type ProxyStatus } from "./policy-mesh.ts";

/** Its own names, so that its mTLS is other than what needs no rule. */
const ruleOfWeb = (sni: string): Manifest =>
  manifest("networking.istio.io/v1", "DestinationRule", "web/names", {
    host: host.api,
    workloadSelector: { matchLabels: { app: "web" } },
    trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", sni } },
  });

test("a change", { timeout: 60_000 }, async (t) => {
  await using mesh = await PolicyMesh.open({
    modes: [peerAuthentication("shop/default", "PERMISSIVE")],
  });
  await mesh.untilInForce();
  const counts = async (): Promise<readonly (readonly [string, number])[]> =>
    Promise.all(
      [...mesh.envoys].map(
        async ([name, envoy]) =>
          [
            name,
            await envoy.count("^(cluster|cluster_manager|listener_manager)\\..*update_success$"),
          ] as const,
      ),
    );
  const touchedBy = async (change: () => void): Promise<readonly string[]> => {
    const before = new Map(await counts());
    await mesh.changed(change);
    await mesh.untilInForce();
    // Longer than any push takes.
    await sleep(300);
    return (await counts())
      .filter(([name, count]) => count !== before.get(name))
      .map(([name]) => name);
  };

  await t.test("of one client's rule reaches that client", async () => {
    const touched = await touchedBy(() => mesh.write("rules", [ruleOfWeb("one.example")]));
    assert.deepEqual(touched, ["web-1"]);
  });
  await t.test(
    "of a server's mode reaches its Envoys, where its clients send mTLS already",
    async () => {
      const touched = await touchedBy(() =>
        mesh.write("modes", [peerAuthentication("shop/default", "STRICT")]),
      );
      assert.deepEqual(touched, ["api-1", "api-2", "db-1"]);
    },
  );
  await t.test("of a mode that its clients have to follow reaches both", async () => {
    const disabled = peerAuthentication("other/default", "DISABLE");
    assert.deepEqual(await touchedBy(() => mesh.write("other", [disabled])), ["other-1"]);
    const open = { selector: { matchLabels: { app: "db" } } };
    const touched = await touchedBy(() =>
      mesh.write("db", [peerAuthentication("shop/db", "DISABLE", open)]),
    );
    assert.deepEqual(touched, ["web-1", "batch-1", "db-1"]);
  });
  await t.test("that says what holds already reaches nobody", async () => {
    const mesh1 = peerAuthentication("istio-system/default", "PERMISSIVE");
    assert.deepEqual(await touchedBy(() => mesh.write("mesh-wide", [mesh1])), []);
  });
  await t.test(
    "to strict is in force when the last connection from before it is gone",
    async () => {
      await mesh.changed(() =>
        mesh.write("other", [peerAuthentication("other/default", "PERMISSIVE")]),
      );
      await mesh.untilInForce();
      const { address } = member("other-1");
      const old = connect({ host: address, port: mesh.service(host.otherTcp).port });
      old.on("error", () => undefined).write("an outsider's ping");
      await once(old, "data");
      await mesh.changed(() =>
        mesh.write("other", [peerAuthentication("other/default", "STRICT")]),
      );
      await mesh.untilInForce({ [host.otherTcp]: "strict" });
      // By the count of the server's Envoy; the close itself may be on its way.
      await sleep(50);
      assert.equal(old.closed, true);
    },
  );
  await t.test("is in force when both Envoys of one member have it", async () => {
    const twin = await mesh.twin("web-1");
    await mesh.untilInForce();
    assert.equal((await mesh.status()).length, members.length, "one line for both");
    process.kill(twin.pid, "SIGSTOP");
    try {
      await mesh.changed(() => mesh.write("rules", [ruleOfWeb("two.example")]));
      await sleep(500);
      assert.deepEqual(stateOf(await mesh.status(), "web-1"), "pushed");
    } finally {
      process.kill(twin.pid, "SIGCONT");
    }
    await mesh.untilInForce();
  });
});

function stateOf(all: readonly ProxyStatus[], name: string): string | undefined {
  return all.find(({ proxy }) => proxy === name)?.state;
}
