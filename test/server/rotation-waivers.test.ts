/** Readers of the roots whom nobody observes hold a rotation until an operator goes on without them, by name. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addWaivers, expandWaiver } from "../../src/edge/rpc/root-client.ts";
import { eventually, startControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

const hourMs = 3_600_000;

describe("a waiver", () => {
  it("lets a rotation go on without the evidence of those it names, stands in the log, and ends with it", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    const { admin } = it.controlPlane.endpoints;
    await rig.prepare(it);
    const { code, lagging, laggards } = rig.refusedOf(await rig.send(it, { kind: "activate" }));
    assert.deepEqual([code, lagging], ["verifiers-lagging", 1n]);
    const [files] = laggards;
    assert.deepEqual([files?.name, files?.reason], ["class/files", "unobservable"]);
    assert.deepEqual(await expandWaiver(admin, "class/fil*"), []);
    const found = await expandWaiver(admin, "class/files");
    const names = found.map(({ name }) => name);
    const until = Date.now() + hourMs;
    const waiver = { names, reason: "handed out by hand", operator: "alice", untilMs: until };
    const [added] = await addWaivers(admin, waiver);
    assert.equal(added?.name, "class/files");
    const [logged] = rig.eventsOf(it.config.dataDir, "waiver");
    assert.deepEqual(
      [logged?.operator, logged?.reason, logged?.detail],
      ["alice", "handed out by hand", "class/files"],
    );
    await rig.step(it, "activate");
    await rig.step(it, "retire");
    const { waivers, verifiers } = await rig.status(it);
    assert.deepEqual([waivers.length, verifiers?.waived], [1, 1n]);
    await eventually(async () => (await rig.status(it)).waivers.length === 0);
    assert.equal(it.controlPlane.trust.state.retired[0]?.confirmed, true);
  });

  it("outlives a restart, and ends by itself", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path, unobserved: "files" };
    {
      await using it = await startControlPlane({ flags });
      await rig.prepare(it);
      const waiver = { names: ["class/files"], reason: "seen to", operator: "alice" };
      const untilMs = Date.now() + hourMs;
      await addWaivers(it.controlPlane.endpoints.admin, { ...waiver, untilMs });
    }
    await using it = await startControlPlane({ flags });
    assert.equal((await rig.status(it)).waivers.length, 1);
    it.advance(hourMs + 1);
    assert.deepEqual((await rig.status(it)).waivers, []);
    assert.equal(rig.refusedOf(await rig.send(it, { kind: "activate" })).code, "verifiers-lagging");
  });

  it("is for names and for a time, and never for everybody", async () => {
    await using it = await startControlPlane();
    const { admin } = it.controlPlane.endpoints;
    for (const selector of ["", "*", "**/*", "@"]) {
      await assert.rejects(expandWaiver(admin, selector), /expected the name of a laggard/);
    }
    const waiver = { reason: "seen to", operator: "alice", untilMs: Date.now() + hourMs };
    const table = [
      [{ ...waiver, names: [] }, /1 to 10000 names/],
      [{ ...waiver, names: ["server/rebuilding"] }, /expected the name of a laggard/],
      [{ ...waiver, names: ["class/a\nclass/b"] }, /expected the name of a laggard/],
      [{ ...waiver, names: ["class/a"], untilMs: Date.now() - 1 }, /within 30 days/],
      [{ ...waiver, names: ["class/a"], untilMs: Date.now() + 31 * 24 * hourMs }, /within 30 days/],
      [{ ...waiver, names: ["class/a"], reason: "" }, /a reason/],
    ] as const;
    for (const [request, expected] of table) {
      await assert.rejects(addWaivers(admin, request), expected);
    }
    assert.deepEqual(rig.eventsOf(it.config.dataDir, "waiver"), []);
  });
});
