/** What clients send, changed by DestinationRules: over the wire, and where it is refused, who says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { httpCaller } from "./callers.ts";
import { destinationRule, host, member, peerAuthentication, type Manifest } from "./manifests.ts";
import { PolicyMesh } from "./policy-mesh.ts";

const at = "shop/api";
const web = `spiffe://mesh.test/ns/web/sa/web`;
const stranger = "spiffe://mesh.test/ns/shop/sa/db";

test("a DestinationRule", { timeout: 60_000 }, async (t) => {
  await using mesh = await PolicyMesh.open({
    modes: [peerAuthentication("shop/default", "PERMISSIVE")],
  });
  await mesh.untilInForce();
  const door = { address: member("web-1").address, port: mesh.callPort(host.api) };
  using caller = httpCaller({ door, host: host.api, kept: 2 });
  const found = async (): Promise<readonly string[]> => {
    const { out } = await mesh.say("validate", "-o", "json");
    const { findings }: { readonly findings: readonly { readonly code: string }[] } =
      JSON.parse(out);
    return findings.map(({ code }) => code);
  };
  const give = async (...rules: readonly Manifest[]): Promise<readonly string[]> => {
    await mesh.changed(() => mesh.write("rules", rules));
    await mesh.untilInForce();
    return found();
  };

  await t.test("is not needed: mTLS goes wherever it is taken", async () => {
    assert.equal(await caller.call(), web);
  });
  await t.test(
    "of DISABLE sends plaintext to who takes it, on connections that were mTLS's",
    async () => {
      await give(destinationRule(at, host.api, { mode: "DISABLE" }));
      assert.equal(await caller.call(), "plaintext");
    },
  );
  await t.test("of other names reaches nobody, and validate says whom it misses", async () => {
    const codes = await give(
      destinationRule(at, host.api, { mode: "ISTIO_MUTUAL", subjectAltNames: [stranger] }),
    );
    await assert.rejects(caller.call(), /^Error: 503 /);
    assert.deepEqual(codes, ["identity-mismatch"]);
    const explained = await mesh.say("mtls", "explain", "web/web-1", `${host.api}:80`);
    assert.equal(explained.code, 4);
    assert.match(explained.out, /identity/);
  });
  await t.test("that is gone leaves mTLS", async () => {
    await give();
    assert.equal(await caller.call(), web);
  });
  await t.test(
    "of DISABLE to a strict port is refused there, and no client is waited for",
    async () => {
      await give(destinationRule(at, host.api, { mode: "DISABLE" }));
      assert.equal(await caller.call(), "plaintext");
      await mesh.changed(() => mesh.write("modes", [peerAuthentication("shop/default", "STRICT")]));
      await mesh.untilInForce({ [host.api]: "strict" });
      assert.deepEqual(await found(), ["plaintext-to-strict"]);
      await assert.rejects(caller.call(), /^Error: 503 /);
      await give();
      assert.equal(await caller.call(), web);
    },
  );
});
