/** Proxies that nobody but a report tells of: for whose verdicts they count. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EvidenceChange } from "../../src/edge/evidence/evidence-change.ts";
import { EVIDENCE_NOW_MS, memberOf } from "../support/evidence.ts";
import { workloadOf } from "../support/policy-objects.ts";
import { idOf, MINUTE_MS, node, NodeReports } from "./node-reports.ts";

/** Of `shop/api`, told whole, without a caller; and one that policy knows nothing of, with one. */
function madeUp(account: string): NodeReports {
  const scene = new NodeReports(EVIDENCE_NOW_MS, EVIDENCE_NOW_MS + 30 * MINUTE_MS, ["api-0"]);
  scene.told("api", "api-0", "api");
  scene.tell("api", "api-0", [0, 31]);
  scene.tell(account, "made-up", [0, 31], [22]);
  return scene;
}

describe("a proxy of another account, told of by reports only", () => {
  it("counts for nobody whom a selector takes, and for all of its namespace", async () => {
    using scene = madeUp("web");
    assert.equal((await scene.verdict("api")).kind, "safe");
    assert.equal((await scene.verdict()).kind, "unsafe");
    scene.pass(1.1);
    assert.equal((await scene.verdict("api")).kind, "safe");
    assert.equal((await scene.verdict()).kind, "unsafe");
  });

  it("counts for workloads of its own account, by their WorkloadEntry", async () => {
    using scene = madeUp("web");
    const labels = new Map([["app", "web"]]);
    scene.entries.push(workloadOf("shop/web-0", { serviceAccount: "web", labels }));
    assert.equal((await scene.verdict("web")).kind, "unsafe");
    assert.equal((await scene.verdict("api")).kind, "safe");
  });

  it("counts for workloads of its own account, by what their Envoys claim, also when they are gone", async () => {
    using scene = madeUp("web");
    scene.told("web", "web-0", "web");
    assert.equal((await scene.verdict("web")).kind, "unsafe");
    scene.members.goodbye(node);
    assert.equal((await scene.verdict("web")).kind, "unsafe");
    assert.equal((await scene.verdict("api")).kind, "safe");
  });

  it("counts for what it is as soon as policy is told of it", async () => {
    using scene = madeUp("web");
    scene.told("web", "made-up", "api");
    assert.equal((await scene.verdict("api")).kind, "unsafe");
  });
});

it("a proxy of the target's account counts for it, told of by reports only", async () => {
  using scene = madeUp("api");
  assert.equal((await scene.verdict("api")).kind, "unsafe");
});

it("more of them than are kept count for their own account only", async () => {
  using scene = madeUp("web");
  const spiffeId = idOf("web");
  const atMs = scene.nowMs;
  const lives = Array.from({ length: 17_000 }, (_, at): readonly EvidenceChange[] => [
    memberOf(`p${at}`, { spiffeId, labels: "", atMs: atMs - 10 * MINUTE_MS }),
    { kind: "gone", proxy: `p${at}`, atMs },
  ]);
  scene.scene.write(...lives.flat());
  assert.equal((await scene.verdict("api")).kind, "safe");
  scene.told("web", "web-0", "web");
  const { silent } = await scene.verdict("web");
  assert.ok(silent.length > 500);
});

it("one for whom there was no room covers nothing of the time of it, when there is", async () => {
  using scene = madeUp("api");
  const rooms = Array.from({ length: 260 }, (_, at) => scene.tell("web", `web-${at}`, [20, 24]));
  assert.equal(rooms.filter((hasRoom) => !hasRoom).length, 4);
  assert.equal(scene.tell("web", "late", [29, 29.8], [29.9]), false);
  scene.told("web", "web-0", "web");
  scene.pass(1.1);
  scene.told("web", "late", "web");
  scene.tell("web", "late", [29.8, 32]);
  scene.tell("web", "web-0", [0, 32]);
  scene.pass(1);
  const { silent } = await scene.verdict("web");
  const proxies = silent.map(({ name }) => name).filter((name) => name.startsWith("proxy/"));
  assert.deepEqual(proxies, ["proxy/shop/late"]);
});
