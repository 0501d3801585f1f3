/** A flip of four workloads by a real server, whose agents speak the mesh's protocol: its stages, what each waits for, and its end. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addCallerWaivers } from "../../src/edge/rpc/flip-client.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { eventsOf } from "../server/rotation-rig.ts";
import {
  apiNames,
  begun,
  flipNow,
  inForce,
  modesAre,
  objectMode,
  openScene,
  operator,
  ordered,
  peerYaml,
  reached,
  settle,
  verdictNow,
  waitsFor,
  workloadYaml,
} from "./flips-rig.ts";
import { RawAgent } from "./raw-agent.ts";

const [p, s] = ["permissive", "strict"] as const;
const untold = "has not told yet whom it has seen since the order";

describe("a flip to strict", () => {
  it("opens stage after stage, each when the last one is in force and has told, and is done after its window", async () => {
    await using scene = await openScene();
    assert.equal((await verdictNow(scene)).verdict, "safe");
    await begun(scene, { stages: "1,50%,all" });
    await modesAre(scene, s, p, p, p);
    assert.equal(await objectMode(scene), "STRICT");
    await inForce(scene, 0);
    await waitsFor(scene, ...apiNames.map((name) => `evidence shop/${name}`));
    await settle(scene);
    await modesAre(scene, s, s, p, p);
    await inForce(scene, 1);
    await settle(scene);
    await modesAre(scene, s, s, s, s);
    const { windowEndsAt } = await reached(scene, "watching");
    assert.ok(windowEndsAt);
    await waitsFor(scene, "window");
    scene.clock.advance(31_000);
    await scene.covered();
    const { endedAt, workloads } = await reached(scene, "done");
    assert.ok(endedAt);
    assert.deepEqual(new Set(workloads.map(({ state }) => state)), new Set(["in-force"]));
    const events = eventsOf(scene.plane.config.dataDir, "flip-changed");
    assert.deepEqual(
      events.map(({ operator: who, subject, detail }) => {
        const { state, stage = "", workloads: names = [], inForce: isIn = "" } = JSON.parse(detail);
        return [who, subject, state, stage, names.join(), isIn].join(" ").trimEnd();
      }),
      [
        "ada shop/api editing",
        " shop/api editing",
        " shop/api stage 1 shop/api-0",
        " shop/api stage 1  true",
        " shop/api stage 50% shop/api-1",
        " shop/api stage 50%  true",
        " shop/api stage all shop/api-2,shop/api-3",
        " shop/api stage all  true",
        " shop/api watching all  true",
        " shop/api done",
      ],
    );
    assert.ok(events.every(({ digest }) => digest.length === 32));
    assert.equal((await scrape(scene.plane)).get("portcullis_flips"), 0);
  });

  it("waits for old plaintext connections, and for whoever has not acknowledged, by name", async () => {
    await using scene = await openScene();
    const [first = assert.fail()] = scene.agents;
    first.takesAll = false;
    await begun(scene);
    await waitsFor(scene, "proxy shop/api-0");
    first.takesAll = true;
    first.oldConnections = "unproven";
    first.draining = new Map([[8080, 3]]);
    first.close();
    await first.open(scene.plane);
    await waitsFor(scene, "connections shop/api-0");
    const { workloads, waits } = await flipNow(scene);
    assert.deepEqual([workloads[0]?.state, workloads[0]?.draining], ["draining", 3]);
    assert.equal(waits[0]?.detail, "plaintext of before: 3 are still open");
    first.oldConnections = "gone";
    first.draining = new Map();
    first.tell();
    await inForce(scene, 0);
    first.close();
    await waitsFor(scene, "proxy shop/api-0", ...apiNames.map((name) => `evidence shop/${name}`));
  });

  it("opens its first stage when all have told of the order, and asks for that", async () => {
    await using scene = await openScene();
    const [first = assert.fail(), ...others] = scene.agents;
    await ordered(scene);
    await waitsFor(scene, ...apiNames.map((name) => `evidence shop/${name}`));
    const { waits, state } = await flipNow(scene);
    assert.deepEqual([state, waits[0]?.detail], ["editing", untold]);
    await eventually(() => scene.agents.every(({ asked }) => asked.at(-1) === 1_000));
    scene.clock.advance(2_000);
    await scene.covered(...others);
    await waitsFor(scene, "evidence shop/api-0");
    await eventually(() => others.every(({ asked }) => asked.at(-1) === 10_000));
    await modesAre(scene, p, p, p, p);
    first.close();
    await waitsFor(scene, "proxy shop/api-0");
    await first.open(scene.plane);
    await scene.covered(first);
    await modesAre(scene, s, p, p, p);
  });

  it("is over where somebody changes its object back while it waits, and writes it once only", async () => {
    await using scene = await openScene();
    await ordered(scene);
    await waitsFor(scene, ...apiNames.map((name) => `evidence shop/${name}`));
    await eventually(async () => (await objectMode(scene)) === "STRICT");
    await scene.apply(peerYaml("PERMISSIVE"));
    await reached(scene, "superseded");
    assert.equal(await objectMode(scene), "PERMISSIVE");
    await modesAre(scene, p, p, p, p);
  });

  it("opens no other stage while the agent of anybody is away, and goes on when it is back", async () => {
    await using scene = await openScene();
    const last = scene.agents[3] ?? assert.fail();
    await begun(scene);
    await inForce(scene, 0);
    last.close();
    await waitsFor(
      scene,
      ...apiNames.map((name) => `${name === "api-3" ? "proxy" : "evidence"} shop/${name}`),
    );
    await last.open(scene.plane);
    await settle(scene);
    await modesAre(scene, s, s, s, s);
  });

  it("says of whom nobody knows what they saw of the window, and is done all the same", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await begun(scene, { stages: "all" });
    await reached(scene, "watching");
    const [first = assert.fail(), second = assert.fail()] = scene.agents;
    scene.clock.advance(31_000);
    await scene.covered(first);
    await waitsFor(scene, "evidence shop/api-1");
    second.close();
    scene.clock.advance(60_000);
    await scene.covered(first);
    const { unseen } = await reached(scene, "done");
    assert.deepEqual(unseen, ["shop/api-1"]);
    const [event] = eventsOf(scene.plane.config.dataDir, "flip-changed").slice(-1);
    assert.deepEqual(JSON.parse(event?.detail ?? ""), {
      flip: 1,
      state: "done",
      unseen: ["shop/api-1"],
      unnamed: 0,
    });
    const line = scene.plane.log.find(({ event: name }) => name === "flip-unseen");
    assert.deepEqual([line?.["count"], line?.["workloads"]], [1, ["shop/api-1"]]);
  });

  it("waits for a caller that comes between two stages, and goes on when he is waived", async () => {
    await using scene = await openScene();
    await scene.apply(workloadYaml("cron-0", "10.0.1.1"));
    await begun(scene);
    await inForce(scene, 0);
    const source = { kind: "address", address: "10.0.1.1" } as const;
    await scene.saw(scene.agents[3] ?? assert.fail(), { kind: "plaintext", source });
    await settle(scene);
    await waitsFor(scene, "verdict shop/cron-0");
    const { callers, verdict } = await verdictNow(scene);
    assert.equal(verdict, "unsafe");
    assert.deepEqual(
      callers.map(({ name, holder, called }) => [name, holder, ...called]),
      [["shop/cron-0", "unmeshed-workload", "shop/api-3:8080"]],
    );
    const untilMs = scene.clock.nowMs() + 60_000;
    const waiver = { target: "shop/api", names: ["shop/cron-0"], reason: "it ends", operator };
    await addCallerWaivers(scene.admin, { ...waiver, untilMs });
    await reached(scene, "watching");
    const [event] = eventsOf(scene.plane.config.dataDir, "waiver");
    assert.deepEqual(
      [event?.operator, event?.reason, event?.detail],
      [operator, "it ends", "target shop/api\nshop/cron-0"],
    );
  });

  it("holds back who comes later, until the last stage", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await begun(scene);
    await inForce(scene, 0);
    await scene.apply(workloadYaml("api-9", "10.0.0.99"));
    const late = new RawAgent("api-9");
    await late.open(scene.plane);
    await eventually(() => late.modes.get(8080) === p);
    const { workloads } = await flipNow(scene);
    assert.deepEqual(
      workloads.map(({ name, state }) => `${name} ${state}`),
      ["shop/api-0 in-force", "shop/api-1 held-back", "shop/api-9 held-back"],
    );
    late.close();
  });

  it("runs beside others of other workloads, and not beside one that has some in common", async () => {
    await using scene = await openScene({ names: ["api-0", "web-0"] });
    await begun(scene, { target: "shop/api", stages: "all" });
    await begun(scene, { target: "shop/web-0", stages: "all" });
    await assert.rejects(begun(scene, { target: "shop" }), /no flip of shop under way, got one/);
    await assert.rejects(begun(scene), /no flip of shop\/api under way, got one of shop\/api/);
    await modesAre(scene, s, s);
  });
});
