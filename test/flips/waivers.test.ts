/** Waivers that stand: they are said before anybody says yes, they are listed, and they are ended, also under a running flip. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addCallerWaivers, listCallerWaivers } from "../../src/edge/rpc/flip-client.ts";
import { runWith } from "../server/root-rig.ts";
import { eventsOf } from "../server/rotation-rig.ts";
import { eventually } from "../support/control-plane.ts";
import {
  begun,
  inForce,
  openScene,
  operator,
  ordered,
  reached,
  settle,
  verdictNow,
  waitsFor,
  workloadYaml,
  type FlipsScene,
} from "./flips-rig.ts";

const say = async ({ admin }: FlipsScene, words: readonly string[]) =>
  await runWith([...words, "--admin", admin], {});

async function waive(scene: FlipsScene, names: readonly string[], target = "shop/api") {
  const untilMs = Math.floor(scene.clock.nowMs() / 1_000) * 1_000 + 3_600_000;
  const waiver = { target, names, reason: "ends on Friday", operator, untilMs };
  await addCallerWaivers(scene.admin, waiver);
  return new Date(untilMs).toISOString().replace(".000Z", "Z");
}

const callsFrom = (address: string) => ({ source: { kind: "address", address } as const });

describe("a waiver that stands", { timeout: 60_000 }, () => {
  it("is said before the yes, in a dry run, by check and by revert, though nobody calls, with how it ends", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    const until = await waive(scene, ["legacy/cron"]);
    const counts = `counts: legacy/cron waived by ada until ${until}, reason: ends on Friday\n`;
    const end = `mtls waivers end --admin ${scene.admin} legacy/cron --target shop/api --reason 'counts again'\n`;
    const check = await say(scene, ["mtls", "check", "shop/api"]);
    assert.equal(check.status, 0, check.stderr);
    assert.match(check.stdout, /^SAFE: /);
    for (const part of [counts, end]) assert.ok(check.stdout.includes(part), check.stdout);
    const flip = ["mtls", "flip", "shop/api", "--to", "strict"];
    const dry = await say(scene, [...flip, "--dry-run"]);
    assert.ok(dry.stdout.includes(counts), dry.stdout);
    const asked = await say(scene, flip);
    assert.ok(asked.stderr.includes(counts), asked.stderr);
    const json = await say(scene, [...flip, "--dry-run", "-o", "json"]);
    const { verdict } = JSON.parse(json.stdout.split("\n")[0] ?? "");
    assert.deepEqual(verdict.waivers, [
      { target: "shop/api", name: "legacy/cron", reason: "ends on Friday", operator, until },
    ]);
    await say(scene, [...flip, "--yes", "--no-follow"]);
    const back = await say(scene, ["mtls", "revert", "shop/api", "--dry-run"]);
    for (const part of [counts, end]) assert.ok(back.stdout.includes(part), back.stdout);
  });

  it("is listed with its target, and ended by a name and a reason that the log has", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    const none = await say(scene, ["mtls", "waivers", "list"]);
    assert.deepEqual([none.status, none.stdout], [0, "nobody is waived\n"]);
    await waive(scene, ["legacy/cron"]);
    const until = await waive(scene, ["legacy/cron"], "shop/api:8080");
    const list = await say(scene, ["mtls", "waivers", "list"]);
    assert.match(list.stdout, /^TARGET +WAIVED +ENDS +BY +REASON\nshop\/api +legacy\/cron +in /);
    const one = ["mtls", "waivers", "list", "--target", "shop/api:8080", "-o", "json"];
    const { waivers } = JSON.parse((await say(scene, one)).stdout);
    const value = { name: "legacy/cron", reason: "ends on Friday", operator, until };
    assert.deepEqual(waivers, [{ target: "shop/api:8080", ...value }]);

    const end = ["mtls", "waivers", "end", "legacy/cron", "--reason", "still there", "--target"];
    const wrong = await say(scene, [...end, "shop/web"]);
    assert.equal(wrong.status, 4);
    assert.match(
      wrong.stderr,
      /^refused: .* \(waiver-unknown\)\n(?:.*\n)*hint: .*mtls waivers list --admin /,
    );
    const ended = await say(scene, [...end, "shop/api"]);
    assert.deepEqual([ended.status, ended.stdout], [0, "legacy/cron counts again for shop/api\n"]);
    const left = (await listCallerWaivers(scene.admin)).waivers;
    assert.deepEqual(
      left.map(({ target }) => target),
      ["shop/api:8080"],
    );
    // Another way to write the same.
    assert.equal((await say(scene, [...end, "shop/serviceentry/api:8080"])).status, 0);
    assert.equal((await listCallerWaivers(scene.admin)).waivers.length, 0);
    assert.equal((await say(scene, [...end, "shop/api"])).status, 4);
  });

  it("that is ended under a running flip holds its next stage at once", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await scene.apply(workloadYaml("cron-0", "10.0.1.1"));
    await scene.saw(scene.agents[1] ?? assert.fail(), callsFrom("10.0.1.1"));
    await waive(scene, ["shop/cron-0"]);
    await begun(scene, { stages: "1,all" });
    await inForce(scene, 0);
    const words = ["--target", "shop/api", "--reason", "calls again"];
    await say(scene, ["mtls", "waivers", "end", "shop/cron-0", ...words]);
    await settle(scene);
    await waitsFor(scene, "verdict shop/cron-0");
    const add = (name: string) =>
      say(scene, ["mtls", "waivers", "add", name, ...words, "--for", "1h"]);
    const check = await say(scene, ["mtls", "check", "shop/api"]);
    assert.match(
      check.stdout,
      /^next: .*: portcullis mtls waivers add .* shop\/cron-0 --target shop\/api /m,
    );
    const nobody = await add("shop/cron-9");
    assert.equal(nobody.status, 4);
    assert.match(nobody.stderr, /^refused: .* \(waiver-nobody\)$/m);
    const added = await add("shop/cron-0");
    assert.equal(added.status, 0, added.stderr);
    assert.match(
      added.stdout,
      /^counts: shop\/cron-0 waived by ada until .*, reason: calls again$/m,
    );
    const logged = eventsOf(scene.plane.config.dataDir, "waiver").at(-1);
    assert.deepEqual([logged?.operator, logged?.reason], [operator, "calls again"]);
    await settle(scene);
    await reached(scene, "watching");
    assert.equal((await add("shop/cron-0")).status, 0);
  });

  it("of a proxy's silence counts while it is silent: who is back is waited for", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    const [, second = assert.fail()] = scene.agents;
    second.close();
    await eventually(async () => (await verdictNow(scene)).silent.length === 1);
    await waive(scene, ["proxy/shop/api-1"]);
    assert.equal((await verdictNow(scene)).verdict, "safe");
    await second.open(scene.plane);
    await scene.covered();
    await ordered(scene, { stages: "1,all" });
    await waitsFor(scene, "evidence shop/api-0", "evidence shop/api-1");
  });
});
