/** `mtls status` of a real server: what is called and never ends, and what is to be permissive until a date that is none. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { flipPort, openScene, peerYaml } from "../flips/flips-rig.ts";
import { runWith } from "../server/root-rig.ts";
import { coverageOf } from "../support/evidence.ts";

it("counts mTLS that is open, and shows a date that is none as one that has come", async () => {
  await using scene = await openScene({ names: ["api-0"], isSafe: false });
  const status = async () => await runWith(["mtls", "status", "--admin", scene.admin]);
  const [agent = assert.fail()] = scene.agents;
  const now = scene.clock.nowMs();
  const coverage = coverageOf(now - 1_000, now, { port: flipPort, openMeshed: 12 });
  await agent.saw(now - 2_000, [], [coverage]);
  assert.match((await status()).stdout, /^shop\/api-0 .* 100%, 12 open +0 /m);
  const check = await runWith(["mtls", "check", "shop/api", "--admin", scene.admin]);
  assert.match(check.stdout, /, 12 connections with mTLS \(12 open\), none without, /);
  await scene.apply(peerYaml("PERMISSIVE", '{ portcullis.io/permissive-until: "soon" }'));
  const late = await status();
  assert.equal(late.status, 3);
  assert.match(late.stdout, /^shop\/api-0 .* "soon" /m);
  assert.match(late.stdout, /^past: shop\/api-0:8080: expected a date or time such as /m);
  await scene.apply(peerYaml("STRICT", '{ portcullis.io/permissive-until: "soon" }'));
  assert.doesNotMatch((await status()).stdout, /soon|until a date/);
});

it("takes a namespace where nobody has a proxy for a mistake", async () => {
  await using scene = await openScene({ names: ["api-0"] });
  const said = await runWith(["mtls", "status", "-n", "typo", "--admin", scene.admin]);
  assert.deepEqual([said.status, said.stdout], [2, ""]);
  assert.match(said.stderr, /^error: --namespace: no proxy in typo; 1 proxy in shop\n/);
});

it("has the share of mTLS of what was taken: whom a port refuses is not among it", async () => {
  await using scene = await openScene({ names: ["api-0"] });
  const [agent = assert.fail()] = scene.agents;
  const source = { kind: "address", address: "203.0.113.9" } as const;
  await scene.saw(agent, { source, kind: "plaintext", isRefused: true, count: 60 });
  const json = ["mtls", "status", "-o", "json", "--admin", scene.admin];
  const [proxy] = JSON.parse((await runWith(json)).stdout).proxies;
  assert.deepEqual([proxy.ports[0].otherConnections, proxy.ports[0].refusedConnections], [60, 60]);
  const { stdout } = await runWith(["mtls", "status", "--admin", scene.admin]);
  assert.match(stdout, /^shop\/api-0 .* 100% +1 /m);
});
