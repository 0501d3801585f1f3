/** The verbs and a real server: what one says, the other understands. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runWith } from "../server/root-rig.ts";
import { eventually } from "../support/control-plane.ts";
import {
  inForce,
  modesAre,
  openScene,
  reached,
  settle,
  workloadYaml,
  type FlipsScene,
} from "./flips-rig.ts";

const say = async ({ admin }: FlipsScene, line: string, world: object = {}) =>
  await runWith([...line.split(" "), "--admin", admin], world);

describe("an operator's day", () => {
  it("from a check over a flip in stages to strict, and back", { timeout: 60_000 }, async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    const check = await say(scene, "mtls check shop/api");
    assert.equal(check.status, 0, check.stdout);
    assert.match(
      check.stdout,
      /^SAFE: 2 proxies, 20s, 2 connections with mTLS, none without, nothing lost\n/,
    );
    let said = "";
    const stdout = { write: (text: string) => void (said += text) };
    const line = "mtls flip shop/api --to strict --stages 1,all --revert-window 5s --yes";
    const following = say(scene, line, { stdout });
    await eventually(() => said.includes("flip 1 of shop/api has begun\n"));
    await settle(scene);
    await eventually(() => said.includes("stage 1 of 2 (1) is open: shop/api-0\n"));
    await inForce(scene, 0);
    const status = await say(scene, "mtls status -n shop");
    assert.match(status.stdout, /shop\/api-1 .*held back by flip 1/);
    await settle(scene);
    await reached(scene, "watching");
    scene.clock.advance(6_000);
    await scene.covered();
    const flip = await following;
    assert.equal(flip.status, 0, flip.stderr);
    assert.match(flip.stderr, /\+ {4}mode: STRICT\n/);
    assert.match(said, /^done: shop\/api is strict: 2 workloads in 2 stages, /m);
    const strict = await say(scene, "mtls check shop/api");
    assert.match(strict.stdout, /^next: it is STRICT already/m);
    const back = await say(scene, "mtls revert shop/api");
    assert.equal(back.status, 0, back.stderr);
    assert.match(back.stdout, /^reverted: an operator asked for it$/m);
    await modesAre(scene, "permissive", "permissive");
  });

  it("with a caller in the way, who is named, and waived in words that the server takes", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    await scene.apply(workloadYaml("cron-0", "10.0.1.1"));
    const source = { kind: "address", address: "10.0.1.1" } as const;
    await scene.saw(scene.agents[0] ?? assert.fail(), { source, claim: "curl/8.5.0" });
    const check = await say(scene, "mtls check shop/api");
    assert.equal(check.status, 4);
    assert.match(
      check.stdout,
      /^shop\/cron-0 +no proxy +plaintext +shop\/api-0:8080 +1 .* curl\/8\.5\.0$/m,
    );
    const refused = await say(scene, "mtls flip shop/api --to strict --yes");
    assert.equal(refused.status, 4);
    assert.match(
      refused.stderr,
      /^refused: expected shop\/api to be SAFE, got UNSAFE \(not-safe\)$/m,
    );
    const plan = await say(scene, "mtls plan -n shop");
    assert.match(plan.stdout, /shop\/api +permissive +UNSAFE +shop\/cron-0 has no proxy/);
    const waive = "--waive shop/cron-* --reason gone --for 1h --yes --no-follow";
    const waived = await say(scene, `mtls flip shop/api --to strict --stages all ${waive}`);
    assert.equal(waived.status, 3, waived.stderr);
    await settle(scene);
    await modesAre(scene, "strict");
  });

  it("of a policy that is kept in git, which the verb prints and the flip waits for", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    const { status, stdout } = await say(
      scene,
      "mtls flip shop/api --to strict --stages all -o yaml --yes --no-follow",
    );
    assert.equal(status, 3);
    await scene.apply(stdout);
    await settle(scene);
    await modesAre(scene, "strict");
    const until = await say(scene, "mtls permissive shop/api --until 9d --owner team-x");
    assert.equal(until.status, 4);
    assert.match(until.stderr, /\(flip-running\)/);
  });
});
