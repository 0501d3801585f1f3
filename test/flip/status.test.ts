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
  await scene.apply(peerYaml("PERMISSIVE", '{ portcullis.io/permissive-until: "soon" }'));
  const late = await status();
  assert.equal(late.status, 3);
  assert.match(late.stdout, /^shop\/api-0 .* "soon" /m);
  assert.match(late.stdout, /^past: shop\/api-0:8080: expected a date or time such as /m);
  await scene.apply(peerYaml("STRICT", '{ portcullis.io/permissive-until: "soon" }'));
  assert.doesNotMatch((await status()).stdout, /soon|until a date/);
});
