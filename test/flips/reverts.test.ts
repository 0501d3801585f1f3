/** What takes a flip back by itself, what never does, and the way back that an operator asks for. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { SeenConnections } from "../../src/core/evidence/connection.ts";
import { addCallerWaivers } from "../../src/edge/rpc/flip-client.ts";
import { changeResources, listResources } from "../../src/edge/rpc/resource-client.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { eventsOf } from "../server/rotation-rig.ts";
import {
  begun,
  flipNow,
  inForce,
  modesAre,
  objectMode,
  openScene,
  operator,
  peerYaml,
  reached,
  revert,
  serveScene,
  settle,
  TestClock,
  waitsFor,
  workloadYaml,
  type FlipsScene,
} from "./flips-rig.ts";

const [p, s] = ["permissive", "strict"] as const;

function refused(
  address: string,
  kind: SeenConnections["kind"] = "plaintext",
): Partial<SeenConnections> {
  return { kind, isRefused: true, source: { kind: "address", address } };
}

const first = ({ agents }: FlipsScene) => agents[0] ?? assert.fail();

/** Those at 10.0.1.N have no proxy. */
async function withCallers(scene: FlipsScene): Promise<void> {
  const names = ["cron-0", "job-0", "old-0"];
  const all = names.map((name, at) => workloadYaml(name, `10.0.1.${at + 1}`));
  await scene.apply(all.join("---\n"));
}

const web = "10.0.0.12";
const untold = ["evidence shop/api-0", "evidence shop/api-1"];

async function strictScene(more: Parameters<typeof begun>[1] = {}): Promise<FlipsScene> {
  const scene = await openScene({ names: ["api-0", "api-1", "web-0"] });
  await withCallers(scene);
  await begun(scene, { stages: "1,all", ...more });
  await inForce(scene, 0);
  await modesAre(scene, s, p, p);
  return scene;
}

describe("a flip is taken back by itself", () => {
  it("when a caller of the mesh fails that did not before: at once, with an alarm, and once", async () => {
    await using scene = await strictScene();
    await scene.saw(first(scene), refused(web, "mtls"));
    const { cause, causeNames, workloads } = await reached(scene, "reverted");
    assert.deepEqual([cause, causeNames], ["meshed-failure", ["shop/web-0"]]);
    await modesAre(scene, p, p, p);
    assert.equal(await objectMode(scene), "PERMISSIVE");
    assert.equal(workloads.length, 2);
    const [alarm, ...more] = scene.plane.log.filter(({ event }) => event === "flip-reverting");
    assert.deepEqual(more, []);
    assert.deepEqual([alarm?.["level"], alarm?.["callers"]], [50, ["shop/web-0"]]);
    const metric = 'portcullis_flip_reverts_total{cause="meshed-failure"}';
    assert.equal((await scrape(scene.plane)).get(metric), 1);
    const event = eventsOf(scene.plane.config.dataDir, "flip-changed").find(({ detail }) =>
      detail.includes("reverting"),
    );
    assert.deepEqual(
      [event?.operator, JSON.parse(event?.detail ?? "")],
      [
        "",
        {
          flip: 1,
          state: "reverting",
          cause: "meshed-failure",
          callers: ["shop/web-0"],
          unnamed: 0,
        },
      ],
    );
    await scene.saw(first(scene), refused(web, "mtls"));
    await settle(scene);
    assert.equal((await flipNow(scene)).state, "reverted");
  });

  it("when as many workloads as were asked for are refused by name", async () => {
    await using scene = await strictScene({ revertOnRefused: 2 });
    await scene.saw(first(scene), refused("10.0.1.1"), refused("203.0.113.9"));
    await settle(scene);
    await reached(scene, "watching");
    await scene.saw(first(scene), refused("10.0.1.2", "tls"));
    const { cause, causeNames, refused: callers } = await reached(scene, "reverted");
    assert.deepEqual([cause, causeNames], ["refused", ["shop/cron-0", "shop/job-0"]]);
    assert.deepEqual(callers.map(({ name }) => name).toSorted(), [
      "203.0.113.9",
      "shop/cron-0",
      "shop/job-0",
    ]);
    await modesAre(scene, p, p, p);
  });

  it("not by whom a waiver names, of those that were asked for", async () => {
    await using scene = await strictScene({ revertOnRefused: 2 });
    const untilMs = scene.clock.nowMs() + 10_000;
    const waiver = { target: "shop/api", names: ["shop/cron-0"], reason: "it ends", operator };
    await addCallerWaivers(scene.admin, { ...waiver, untilMs });
    await scene.saw(first(scene), refused("10.0.1.1"), refused("10.0.1.2"));
    await eventually(async () => (await flipNow(scene)).refused.length === 2);
    scene.clock.advance(20_000);
    await scene.saw(first(scene));
    await waitsFor(scene, "evidence shop/api-1");
    await scene.saw(first(scene), refused("10.0.1.3"));
    const { causeNames } = await reached(scene, "reverted");
    assert.deepEqual(causeNames, ["shop/job-0", "shop/old-0"]);
  });

  it("not by whom a waiver named then, where it has ended, and the server was started anew", async () => {
    const clock = new TestClock();
    const epochMs = clock.nowMs();
    using directory = temporaryDirectory();
    const dataDir = join(directory.path, "data");
    let agents: FlipsScene["agents"] = [];
    {
      await using scene = await openScene({ names: ["api-0", "api-1", "web-0"], dataDir, clock });
      ({ agents } = scene);
      await withCallers(scene);
      await begun(scene, { stages: "1,all", revertOnRefused: 1 });
      await inForce(scene, 0);
      const untilMs = clock.nowMs() + 10_000;
      const waiver = { target: "shop/api", names: ["shop/cron-0"], reason: "it ends", operator };
      await addCallerWaivers(scene.admin, { ...waiver, untilMs });
      await scene.saw(first(scene), refused("10.0.1.1"));
      await eventually(async () => (await flipNow(scene)).refused.length === 1);
      clock.advance(20_000);
    }
    await using scene = await serveScene({ dataDir, clock, agents, epochMs });
    for (const agent of agents) await agent.open(scene.plane);
    await eventually(async () => (await flipNow(scene)).refused.length === 1);
    assert.equal((await flipNow(scene)).state, "stage");
    await scene.saw(first(scene), refused("10.0.1.2"));
    const { causeNames } = await reached(scene, "reverted");
    assert.deepEqual(causeNames, ["shop/job-0"]);
  });

  const never: Readonly<Record<string, readonly Partial<SeenConnections>[]>> = {
    "a flood from addresses that nobody knows": Array.from({ length: 300 }, (_, at) =>
      refused(`203.0.113.${at % 250}`, at % 2 === 0 ? "plaintext" : "mtls"),
    ),
    "TLS of its own of a workload of the mesh": [refused(web, "tls")],
    "failing mTLS of a workload without a proxy": [refused("10.0.1.1", "mtls")],
    "plaintext of as many as would do, where nobody asked for that": [
      refused("10.0.1.1"),
      refused("10.0.1.2"),
      refused("10.0.1.3"),
    ],
  };
  for (const [title, seen] of Object.entries(never)) {
    it(`never by ${title}`, async () => {
      await using scene = await strictScene();
      await scene.saw(first(scene), ...seen);
      await eventually(async () => (await flipNow(scene)).refused.length > 0);
      await waitsFor(scene, ...untold);
      await modesAre(scene, s, p, p);
    });
  }

  it("never by who failed before it began, and is waived", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1", "web-0"] });
    await scene.saw(first(scene), refused(web, "mtls"));
    scene.clock.advance(10_000);
    await scene.covered();
    const untilMs = scene.clock.nowMs() + 600_000;
    const waiver = { target: "shop/api", names: ["shop/web-0"], reason: "it ends", operator };
    await addCallerWaivers(scene.admin, { ...waiver, untilMs });
    await begun(scene, { stages: "1,all" });
    await inForce(scene, 0);
    await scene.saw(first(scene), refused(web, "mtls"));
    await eventually(async () => (await flipNow(scene)).refused.length > 0);
    assert.equal((await flipNow(scene)).state, "stage");
  });
});

describe("an operator takes a flip back", () => {
  it("in the middle: all of it takes plaintext at once, and the object says what it said", async () => {
    await using scene = await strictScene();
    const { result, beforeJson, afterJson } = await revert(scene);
    assert.equal(result.case, "flip");
    assert.match(beforeJson, /STRICT/);
    assert.match(afterJson, /PERMISSIVE/);
    await modesAre(scene, p, p, p);
    const { cause } = await reached(scene, "reverted");
    assert.equal(cause, "operator");
    assert.equal(await objectMode(scene), "PERMISSIVE");
    const event = eventsOf(scene.plane.config.dataDir, "flip-changed").at(-2);
    assert.deepEqual([event?.operator, event?.reason], ["ada", "billing fails"]);
    const metric = 'portcullis_flip_reverts_total{cause="operator"}';
    assert.equal((await scrape(scene.plane)).get(metric), 1);
  });

  it("long after it was done, and only once", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await begun(scene, { stages: "all" });
    await reached(scene, "watching");
    scene.clock.advance(40_000);
    await scene.covered();
    await reached(scene, "done");
    scene.clock.advance(3_600_000);
    const dry = await revert(scene, "shop/api", true);
    assert.match(dry.afterJson, /PERMISSIVE/);
    assert.equal((await flipNow(scene)).state, "done");
    await revert(scene);
    await reached(scene, "reverted");
    await modesAre(scene, p, p);
    const { result } = await revert(scene);
    assert.equal(result.case === "refused" && result.value.code, "nothing-to-revert");
  });

  it("which deletes the object that the flip has made", async () => {
    await using scene = await openScene({ names: ["api-0"], mode: "" });
    await begun(scene, { stages: "all" });
    await reached(scene, "watching");
    assert.equal(await objectMode(scene), "STRICT");
    const { beforeJson, afterJson } = await revert(scene);
    assert.deepEqual([beforeJson === "", afterJson], [false, ""]);
    await reached(scene, "reverted");
    assert.equal(await objectMode(scene), "");
    await modesAre(scene, p);
  });

  it("which is no news where another has made it permissive: the flip is over, and nothing is written", async () => {
    await using scene = await strictScene();
    await scene.apply(peerYaml("DISABLE"));
    const { cause } = await reached(scene, "superseded");
    assert.match(cause, /changed by somebody else/);
    assert.equal(await objectMode(scene), "DISABLE");
    const { result } = await revert(scene);
    assert.equal(result.case === "refused" && result.value.code, "nothing-to-revert");
  });

  const older = peerYaml("PERMISSIVE")
    .replace("name: api,", "name: aaa,")
    .replace("annotations: {}", 'creationTimestamp: "2020-01-01T00:00:00Z"');
  const removeOlder = async (scene: FlipsScene): Promise<void> => {
    const remove = [{ kind: "PeerAuthentication", namespace: "shop", name: "aaa" } as const];
    await changeResources(scene.admin, { apply: [], remove, isDryRun: false, operator });
  };

  it("by itself where an older object stands over its own: when that one goes, nobody is strict", async () => {
    await using scene = await strictScene();
    await scene.apply(older);
    const { cause, causeNames } = await reached(scene, "reverted");
    assert.deepEqual([cause, causeNames], ["superseded", ["shop/aaa"]]);
    const event = eventsOf(scene.plane.config.dataDir, "flip-changed").find(({ detail }) =>
      detail.includes("reverting"),
    );
    assert.equal(event?.operator, "");
    assert.match(event?.detail ?? "", /"cause":"superseded","objects":\["shop\/aaa"\]/);
    await removeOlder(scene);
    assert.equal(await objectMode(scene), "PERMISSIVE");
    await settle(scene);
    await modesAre(scene, p, p, p);
  });

  it("when it is done, and another stands over its object", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    await begun(scene, { stages: "all" });
    await reached(scene, "watching");
    scene.clock.advance(40_000);
    await scene.covered();
    await reached(scene, "done");
    await scene.apply(older);
    await modesAre(scene, p);
    const { result, afterJson } = await revert(scene);
    assert.equal(result.case, "flip");
    assert.match(afterJson, /PERMISSIVE/);
    await reached(scene, "reverted");
    await removeOlder(scene);
    await settle(scene);
    await modesAre(scene, p);
    assert.equal(await objectMode(scene), "PERMISSIVE");
  });

  it("not by an object that is deleted and written again, and by one that stays away it is over", async () => {
    await using scene = await strictScene();
    const remove = [{ kind: "PeerAuthentication", namespace: "shop", name: "api" } as const];
    const order = { apply: [], remove, isDryRun: false, operator };
    await changeResources(scene.admin, order);
    await modesAre(scene, p, p, p);
    await waitsFor(scene, "object shop/api", ...untold);
    const [wait] = (await flipNow(scene)).waits;
    assert.match(wait?.detail ?? "", /^is not there: if it is not back by .*, the flip is over/);
    scene.clock.advance(20_000);
    await scene.apply(peerYaml("STRICT"));
    await modesAre(scene, s, p, p);
    await inForce(scene, 0);
    await changeResources(scene.admin, order);
    await waitsFor(scene, "object shop/api", ...untold);
    scene.clock.advance(31_000);
    await scene.covered();
    assert.match((await reached(scene, "superseded")).cause, /^the object is gone/);
  });

  it("goes on where somebody else has changed something else of the object", async () => {
    await using scene = await strictScene();
    await scene.apply(peerYaml("STRICT", '{ note: "mine" }'));
    await settle(scene);
    await reached(scene, "watching");
    await revert(scene);
    await reached(scene, "reverted");
    const { objects } = await listResources(scene.admin);
    const found = objects.find(({ object }) => object.kind === "PeerAuthentication");
    assert.match(JSON.stringify(found?.manifest), /"note":"mine".*PERMISSIVE/);
  });
});
