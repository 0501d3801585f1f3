import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../../test/support/kube-objects.ts";
import type { Pod } from "../../../../core/kube/pod.ts";
import type { CertificateIndex } from "../../../../edge/log/certificate-index.ts";
import { PodFarewells } from "./pod-farewells.ts";

const identity = "spiffe://mesh.test/ns/shop/sa/cart";
const ended = testPod({ phase: "Succeeded" });

type Records = Awaited<ReturnType<CertificateIndex["page"]>>["records"];

function rig(podUid = ended.uid) {
  const events: string[] = [];
  const gone: string[] = [];
  const failed: unknown[] = [];
  const asked: string[] = [];
  const state = { isConnected: false, hasSaid: false, isFull: false };
  const intent = { artifact: "workload", agent: "agent-1", serial: Uint8Array.of(1) };
  const records = [{ intentIndex: 4, intent: { ...intent, evidence: { podUid } } }];
  const farewells = new PodFarewells({
    trustDomain: "mesh.test",
    certificates: {
      page: (filter) => {
        asked.push(filter.identity ?? "");
        return { records: records as unknown as Records, next: undefined };
      },
    },
    record: async ({ type, subject, reason, detail }) => {
      if (state.isFull) throw new Error("full");
      events.push([type, subject, reason, detail].join(" "));
    },
    hasSaid: () => state.hasSaid,
    isConnected: () => state.isConnected,
    gone: ({ agentId }) => void gone.push(agentId),
    onFailed: (_, error) => void failed.push(error),
    nowMs: () => 0,
  });
  const deleted = (before: Pod): void => farewells.take([{ before, after: undefined }]);
  return { farewells, deleted, events, gone, failed, asked, state };
}

const said = [`goodbye ${identity} certificates up to entry 4 agent-1`];

describe("a pod that is gone", () => {
  it("is the goodbye of its agents, in the log first, where its node has said that it has ended", async () => {
    using owned = new DisposableStack();
    const { farewells, deleted, events, gone } = rig();
    owned.use(farewells);
    deleted(ended);
    await farewells.run();
    assert.deepEqual([events, gone], [said, ["agent-1"]]);
    deleted(ended);
    await farewells.run();
    assert.deepEqual([events, gone], [said, ["agent-1"]]);
  });

  it("is nothing where it may run on, where it is only changed, and where the log knows another of its name", async () => {
    using owned = new DisposableStack();
    const forced = rig();
    owned.use(forced.farewells);
    forced.deleted(testPod());
    forced.farewells.take([
      { before: ended, after: ended },
      { before: undefined, after: ended },
    ]);
    await forced.farewells.run();
    assert.deepEqual([forced.events, forced.asked], [[], []]);
    const another = rig("another");
    owned.use(another.farewells);
    another.deleted(ended);
    await another.farewells.run();
    assert.deepEqual([another.events, another.asked], [[], [identity]]);
  });

  it("is one that never ran where it had no node", async () => {
    using owned = new DisposableStack();
    const { farewells, deleted, events } = rig();
    owned.use(farewells);
    deleted(testPod({ phase: "Pending", nodeName: "" }));
    await farewells.run();
    assert.deepEqual(events, said);
  });

  it("is not told twice where its agent has said so itself", async () => {
    using owned = new DisposableStack();
    const { farewells, deleted, events, state } = rig();
    owned.use(farewells);
    state.hasSaid = true;
    deleted(ended);
    await farewells.run();
    assert.deepEqual(events, []);
  });

  it("is waited for while its stream is open, and where the log cannot be written", async () => {
    using owned = new DisposableStack();
    const { farewells, deleted, events, gone, failed, state } = rig();
    owned.use(farewells);
    state.isConnected = true;
    deleted(ended);
    await farewells.run();
    state.isConnected = false;
    state.isFull = true;
    await farewells.run();
    assert.deepEqual([events, gone, failed.length], [[], [], 1]);
    state.isFull = false;
    await farewells.run();
    assert.deepEqual([events, gone], [said, ["agent-1"]]);
  });

  it("costs one look for all of an identity", async () => {
    using owned = new DisposableStack();
    const { farewells, deleted, asked } = rig();
    owned.use(farewells);
    for (let at = 0; at < 1_000; at++) deleted({ ...ended, uid: `uid-${at}` });
    await farewells.run();
    assert.deepEqual(asked, [identity]);
  });
});
