import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../../test/support/kube-objects.ts";
import type { CertificateIndex } from "../../../../edge/log/certificate-index.ts";
import { GonePods } from "./gone-pods.ts";

const identity = "spiffe://mesh.test/ns/shop/sa/api";
const earlier = `${identity} agent-1 ${identity} api-6`;
const expected = `${identity} api-6`;

type Records = ReturnType<CertificateIndex["page"]>["records"];

const leaf = (agent: string, podUid: string, notAfterMs = 9_000) => ({
  intent: { artifact: "workload", agent, notAfterMs, evidence: { pod: "api-6", podUid } },
});

function rig(records: readonly ReturnType<typeof leaf>[], identities = [identity]) {
  const state = { uid: "", isListed: true, connected: new Set<string>(), nowMs: 1_000, records };
  const asked: string[] = [];
  const gone = new GonePods({
    certificates: {
      page: (filter) => {
        asked.push(filter.identity ?? "");
        return { records: state.records as unknown as Records, next: undefined };
      },
    },
    podOf: ({ namespace, name }) =>
      state.uid === "" ? undefined : testPod({ namespace, name, uid: state.uid }),
    isListed: () => state.isListed,
    isConnected: (agent) => state.connected.has(agent),
    identities: () => identities,
    onFailed: (error) => assert.fail(String(error)),
    nowMs: () => state.nowMs,
  });
  return { gone, state, asked };
}

describe("a proxy of which nobody hears", () => {
  it("is known to be of a pod that is gone, or of an earlier one of its name, when the log was read", async () => {
    using owned = new DisposableStack();
    const { gone, state } = rig([leaf("agent-1", "one")]);
    owned.use(gone);
    assert.equal(gone.of(earlier), undefined);
    await gone.run();
    assert.deepEqual(gone.of(earlier), { absence: "pod-gone", absentUntilMs: 9_000 });
    assert.deepEqual(gone.of(expected), { absence: "pod-gone", absentUntilMs: 9_000 });
    state.uid = "two";
    assert.equal(gone.of(earlier)?.absence, "earlier-pod");
    state.uid = "one";
    assert.equal(gone.of(earlier), undefined);
    state.uid = "";
    state.isListed = false;
    assert.equal(gone.of(earlier), undefined);
  });

  it("is not taken for an earlier one by a name alone: another agent of that pod may come", async () => {
    using owned = new DisposableStack();
    const { gone, state } = rig([leaf("agent-1", "one"), leaf("agent-2", "two")]);
    owned.use(gone);
    state.uid = "two";
    await gone.run();
    assert.equal(gone.of(expected), undefined);
    state.connected.add(`${identity} agent-2`);
    assert.equal(gone.of(expected)?.absence, "earlier-pod");
    const node = `spiffe://mesh.test/ns/kube/sa/ztunnel agent-1 ${identity} api-6`;
    assert.equal(gone.of(node), undefined);
  });

  it("has ended with its certificates, unless it may have got another since it was looked at", async () => {
    using owned = new DisposableStack();
    const { gone, state, asked } = rig([leaf("agent-1", "one")]);
    owned.use(gone);
    await gone.run();
    assert.equal(gone.hasEnded(earlier, 9_000), false);
    state.nowMs = 12_000;
    await gone.run();
    assert.deepEqual([gone.hasEnded(earlier, 8_999), gone.hasEnded(earlier, 9_000)], [false, true]);
    state.nowMs = 13_000;
    await gone.run();
    assert.equal(asked.length, 2);
    state.nowMs = 23_000;
    state.records = [leaf("agent-1", "one"), leaf("agent-1", "one", 90_000)];
    await gone.run();
    assert.equal(gone.hasEnded(earlier, 23_000), false);
  });

  it("has its turn, however many others are asked about", async () => {
    using owned = new DisposableStack();
    const all = Array.from({ length: 300 }, (_, at) => `spiffe://mesh.test/ns/shop/sa/api-${at}`);
    const { gone, state, asked } = rig([], all);
    owned.use(gone);
    for (let second = 0; second < 30; second++) {
      state.nowMs += 1_000;
      await gone.run();
    }
    assert.deepEqual(new Set(asked), new Set(all));
  });
});
