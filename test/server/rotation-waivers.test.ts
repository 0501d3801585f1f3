/** Readers of the roots whom nobody observes hold a rotation until an operator goes on without them, by name. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { addWaivers, expandWaiver } from "../../src/edge/rpc/root-client.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

const hourMs = 3_600_000;

/** For a workload without an agent. */
async function issue(it: TestControlPlane): Promise<void> {
  const { csrPem } = await createCsr();
  const to = { server: it.address, serverRoots: Buffer.from(it.rootPem), timeoutMs: 5_000 };
  const request = { ...to, token: mint(), csrPem, ttlSeconds: 0 };
  await requestCertificate(request, AbortSignal.timeout(5_000));
}

describe("a waiver", () => {
  it("lets a rotation go on without the evidence of those it names, stands in the log, and ends with it", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    const { admin } = it.controlPlane.endpoints;
    await rig.prepare(it);
    const { code, lagging, laggards } = rig.refusedOf(await rig.send(it, { kind: "activate" }));
    assert.deepEqual([code, lagging], ["verifiers-lagging", 1n]);
    const [files] = laggards;
    assert.deepEqual([files?.name, files?.reason], ["class/files", "unobservable"]);
    assert.deepEqual((await expandWaiver(admin, "class/fil*", "activate")).laggards, []);
    assert.deepEqual((await expandWaiver(admin, "class/files", "abort")).laggards, []);
    const found = await expandWaiver(admin, "class/files", "activate");
    const names = found.laggards.map(({ name }) => name);
    const { rootsSequence } = found;
    const claim = { reason: "handed out by hand", operator: "alice" };
    const waiver = { ...claim, names, untilMs: Date.now() + hourMs, rootsSequence };
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
    assert.deepEqual([waivers.length, verifiers?.waived], [0, 0n]);
    // They have it without what was retired, too.
    await assert.rejects(addWaivers(admin, waiver), /nobody is waived/);
    await addWaivers(admin, {
      ...waiver,
      rootsSequence: it.controlPlane.trust.state.rootsSequence,
    });
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
      const { rootsSequence } = it.controlPlane.trust.state;
      await addWaivers(it.controlPlane.endpoints.admin, { ...waiver, untilMs, rootsSequence });
    }
    await using it = await startControlPlane({ flags });
    assert.equal((await rig.status(it)).waivers.length, 1);
    it.advance(hourMs + 1);
    assert.deepEqual((await rig.status(it)).waivers, []);
    assert.equal(rig.refusedOf(await rig.send(it, { kind: "activate" })).code, "verifiers-lagging");
  });

  it("is for the roots of its time: of another rotation, and of a compromise, it says nothing", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    const { admin } = it.controlPlane.endpoints;
    const waive = async (): Promise<void> => {
      const { laggards, rootsSequence } = await expandWaiver(admin, "class/files", "");
      const names = laggards.map(({ name }) => name);
      const claim = { reason: "handed out", operator: "alice", untilMs: Date.now() + hourMs };
      await addWaivers(admin, { ...claim, names, rootsSequence });
    };
    const lagging = async (): Promise<string> =>
      rig
        .refusedOf(await rig.send(it, { kind: "activate" }))
        .laggards.map(({ name }) => name)
        .join();
    await rig.prepare(it);
    await waive();
    await rig.step(it, "activate");
    await rig.step(it, "rollback");
    await rig.step(it, "abort");
    await rig.prepare(it);
    assert.equal(await lagging(), "class/files");
    assert.deepEqual((await rig.status(it)).waivers, []);
    await waive();
    const authorityId = rig.signer(it);
    rig.doneOf(await rig.send(it, { kind: "compromise", authorityId }));
    await eventually(async () => (await rig.status(it)).verifiers?.lagging === 1n);
    await waive();
    await eventually(() => it.controlPlane.trust.state.retired[0]?.confirmed === true);
  });

  it("takes each name that a gate gives, whoever chose it, and for that gate only", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    const { admin } = it.controlPlane.endpoints;
    await issue(it);
    await rig.prepare(it);
    const waive = async (command: string): Promise<readonly string[]> => {
      const { laggards, rootsSequence } = await expandWaiver(admin, "*cart*", command);
      const classes = await expandWaiver(admin, "class/files", command);
      const names = [...laggards, ...classes.laggards].map(({ name }) => name);
      const claim = { reason: "seen to", operator: "alice", untilMs: Date.now() + hourMs };
      await addWaivers(admin, { ...claim, names, rootsSequence });
      return names.map((name) => name.replace(/\/.*/, ""));
    };
    assert.deepEqual(await waive("activate"), ["leaf", "class"]);
    await rig.step(it, "activate");
    assert.equal(rig.refusedOf(await rig.send(it, { kind: "retire" })).lagging, 1n);
    assert.deepEqual(await waive("retire"), ["certificate"]);
    await rig.step(it, "retire");
  });

  for (const [end, begun] of [
    ["retire", true],
    ["abort", false],
  ] as const) {
    it(`is asked for by the answer of ${end}, whose end waits for a class, and for none where there is none`, async () => {
      const nextOf = async (unobserved: string): Promise<string> => {
        const flags = unobserved === "" ? {} : { unobserved };
        await using it = await startControlPlane({ flags });
        const { admin } = it.controlPlane.endpoints;
        await rig.prepare(it);
        const { laggards, rootsSequence } = await expandWaiver(admin, "class/files", "");
        const names = laggards.map(({ name }) => name);
        const given = { reason: "handed out", operator: "alice", untilMs: Date.now() + hourMs };
        if (begun && names.length > 0) await addWaivers(admin, { ...given, names, rootsSequence });
        if (begun) await rig.step(it, "activate");
        return (await rig.step(it, end)).next;
      };
      assert.match(
        await nextOf("files"),
        /: portcullis root rotate --resume --waive class\/files --reason TEXT --for DURATION; /,
      );
      assert.equal(await nextOf(""), "portcullis root status");
    });
  }

  it("is for a step that is possible, and otherwise refused as that step is: nothing stands in the log", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    const { admin } = it.controlPlane.endpoints;
    const claim = { reason: "seen to", operator: "alice", untilMs: Date.now() + hourMs };
    const refused = async (command: string): Promise<string | undefined> => {
      const { refused, rootsSequence } = await expandWaiver(admin, "class/files", command);
      const waiver = { ...claim, names: ["class/files"], rootsSequence, command };
      const expected = new RegExp(`nobody is waived \\(${refused?.code}\\)`);
      if (refused !== undefined) await assert.rejects(addWaivers(admin, waiver), expected);
      return refused?.code;
    };
    assert.equal(await refused("activate"), "nothing-prepared");
    assert.equal(await refused("confirm"), "nothing-to-confirm");
    assert.equal(await refused(""), "nothing-prepared");
    await rig.prepare(it);
    assert.equal(await refused("retire"), "nothing-to-retire");
    assert.equal(await refused("activate"), undefined);
    assert.deepEqual(rig.eventsOf(it.config.dataDir, "waiver"), []);
  });

  it("is for names and for a time, and never for everybody", async () => {
    await using it = await startControlPlane();
    const { admin } = it.controlPlane.endpoints;
    await rig.prepare(it);
    for (const selector of ["", "*", "**/*", "@"]) {
      await assert.rejects(expandWaiver(admin, selector, ""), /expected the name of a laggard/);
    }
    const { rootsSequence } = it.controlPlane.trust.state;
    const claim = { reason: "seen to", operator: "alice" };
    const waiver = { ...claim, untilMs: Date.now() + hourMs, rootsSequence };
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
