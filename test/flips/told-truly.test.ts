/** What is said of workloads of which nobody tells, or that take plaintext still: never that they refuse it, or that they take it again. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { addCallerWaivers } from "../../src/edge/rpc/flip-client.ts";
import { changeResources } from "../../src/edge/rpc/resource-client.ts";
import type { FlipStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { runWith } from "../server/root-rig.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  begun,
  flipNow,
  inForce,
  modesAre,
  openScene,
  operator,
  ordered,
  peerYaml,
  reached,
  revert,
  serveScene,
  settle,
  TestClock,
  verdictNow,
  type FlipsScene,
} from "./flips-rig.ts";
import type { RawAgent } from "./raw-agent.ts";

const names = ["api-0", "api-1"];
const peer = { kind: "PeerAuthentication", namespace: "shop", name: "api" } as const;

/** All are strict, and watched. */
async function watchedScene(more: Parameters<typeof openScene>[0] = {}): Promise<FlipsScene> {
  const scene = await openScene({ names, ...more });
  await begun(scene, { stages: "all" });
  await modesAre(scene, "strict", "strict");
  await reached(scene, "watching");
  return scene;
}

function saidOf({ workloads }: FlipStatus, at: number): readonly (string | boolean)[] {
  const { state, absence, plaintext, waived } = workloads[at] ?? assert.fail();
  return [state, absence, plaintext, waived];
}

const away = (scene: FlipsScene) => scene.agents[1] ?? assert.fail();

/** The server knows that it is away. */
async function closed(scene: FlipsScene): Promise<void> {
  away(scene).close();
  await eventually(async () => saidOf(await flipNow(scene), 1)[0] === "silent");
}

const status = async ({ admin }: FlipsScene) => await runWith(["mtls", "status", "--admin", admin]);

describe("of a flip", () => {
  it("that was taken back is said who may refuse plaintext still, until its agent is back", async () => {
    await using scene = await watchedScene();
    await closed(scene);
    const words = ["mtls", "revert", "shop/api", "--admin", scene.admin];
    const reverted = await runWith(words);
    assert.equal(reverted.status, 3);
    assert.match(
      reverted.stdout,
      /^reverted: an operator asked for it; 1 of 2 workloads take plaintext; not yet: shop\/api-1 \(silent: its agent is away\)$/m,
    );
    assert.match(reverted.stderr, /next: shop\/api-1: its agent is away: it still refuses /);
    const flip = await flipNow(scene);
    assert.deepEqual([flip.state, flip.notBack], ["reverted", ["shop/api-1"]]);
    assert.deepEqual(saidOf(flip, 1), ["silent", "away", "refused", false]);
    await away(scene).open(scene.plane);
    await modesAre(scene, "permissive", "permissive");
    await eventually(async () => (await flipNow(scene)).notBack.length === 0);
  });

  it("that is done, who takes plaintext still while his silence is waived", async () => {
    await using scene = await openScene({ names });
    away(scene).close();
    const waiver = { target: "shop/api", names: ["proxy/shop/api-1"], reason: "it is ill" };
    await eventually(async () => (await verdictNow(scene)).silent.length === 1);
    const untilMs = scene.clock.nowMs() + 3_600_000;
    await addCallerWaivers(scene.admin, { ...waiver, operator, untilMs });
    await ordered(scene, { stages: "all" });
    scene.clock.advance(2_000);
    await scene.covered(scene.agents[0] ?? assert.fail());
    await reached(scene, "watching");
    scene.clock.advance(95_000);
    await scene.covered(scene.agents[0] ?? assert.fail());
    assert.deepEqual(saidOf(await reached(scene, "done"), 1), ["silent", "away", "taken", true]);
    const { status: code, stdout } = await runWith([
      "mtls",
      "flip",
      "shop/api",
      "--admin",
      scene.admin,
    ]);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^done: 1 of 2 workloads of shop\/api refuse plaintext .*; still taken by shop\/api-1 \(its agent is away; its silence is waived\)/m,
    );
  });

  it("whose object is deleted in its window, that all take plaintext, and not that they refuse it", async () => {
    await using scene = await watchedScene();
    const remove = [peer];
    await changeResources(scene.admin, { apply: [], remove, isDryRun: false, operator });
    await modesAre(scene, "permissive", "permissive");
    await eventually(async () => saidOf(await flipNow(scene), 0)[0] === "permissive");
    const flip = await flipNow(scene);
    assert.equal(flip.state, "watching");
    assert.deepEqual(saidOf(flip, 0), ["permissive", "", "taken", false]);
  });

  it("after a start of the server, that nothing is known yet", async () => {
    using directory = temporaryDirectory();
    const dataDir = join(directory.path, "data");
    const clock = new TestClock();
    const epochMs = clock.nowMs();
    let agents: readonly RawAgent[];
    {
      await using scene = await watchedScene({ dataDir, clock });
      ({ agents } = scene);
    }
    await using scene = await serveScene({ dataDir, clock, agents, epochMs });
    assert.deepEqual(saidOf(await flipNow(scene), 0), ["silent", "unheard", "", false]);
    const looked = await runWith([
      "mtls",
      "flip",
      "shop/api",
      "--no-follow",
      "--admin",
      scene.admin,
    ]);
    assert.match(looked.stdout, /^watched: 0 of 2 workloads refuse plaintext, 2 not known; /);
  });
});

describe("of a proxy", () => {
  it("whose agent is there and whose Envoy is not, that its Envoy is away", async () => {
    await using scene = await openScene({ names });
    away(scene).leave();
    await eventually(async () => (await verdictNow(scene)).silent.length === 1);
    const { silent } = await verdictNow(scene);
    assert.deepEqual(
      silent.map(({ name, reason }) => [name, reason]),
      [["proxy/shop/api-1", "envoy-away"]],
    );
    const words = ["mtls", "check", "shop/api", "--admin", scene.admin];
    const { stdout, stderr } = await runWith(words);
    assert.match(
      stdout + stderr,
      /its agent tells, and its Envoy has no stream with it: start its E/,
    );
  });
});

describe("mtls status", () => {
  it("exits 3 while a flip is under way, names it, and says whom it holds back before its first stage, too", async () => {
    await using scene = await openScene({ names });
    assert.equal((await status(scene)).status, 0);
    await ordered(scene, { awaitsObject: true });
    const waiting = await status(scene);
    assert.equal(waiting.status, 3);
    assert.match(waiting.stdout, /^shop\/api-0 .*in-force, held back by flip 1$/m);
    assert.match(
      waiting.stdout,
      /^flip 1 of shop\/api: nothing is strict yet: .*: portcullis mtls flip --admin \S+ shop\/api$/m,
    );
    const words = ["mtls", "revert", "shop/api", "-o", "yaml", "--admin", scene.admin];
    const reverted = await runWith(words);
    // Nothing was strict: nothing is to be committed.
    assert.deepEqual([reverted.status, reverted.stdout], [0, ""]);
    assert.match(reverted.stderr, /^reverted: an operator asked for it$/m);
    assert.doesNotMatch(reverted.stderr, /commit/);
    assert.equal((await status(scene)).status, 0);
  });

  it("exits 3 while one that was taken back waits for an object that says STRICT", async () => {
    await using scene = await openScene({ names });
    await ordered(scene, { awaitsObject: true });
    await scene.apply(peerYaml("STRICT"));
    await settle(scene);
    await inForce(scene, 0);
    await revert(scene);
    await modesAre(scene, "permissive", "permissive");
    const { status: code, stdout } = await status(scene);
    assert.equal(code, 3);
    assert.match(
      stdout,
      /^flip 1 of shop\/api: on the way back: .*waits for the object shop\/api/m,
    );
  });
});
