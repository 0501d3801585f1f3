/** Pods that ended while the server was away: their agent, which was there, tells of them afterwards. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EVIDENCE_NOW_MS } from "../support/evidence.ts";
import { MINUTE_MS, NodeReports } from "./node-reports.ts";

const beganMs = EVIDENCE_NOW_MS;

/** The server is back after a while; `api-0` was there all the time. Minutes. */
function back(left: readonly string[] = []): NodeReports {
  const scene = new NodeReports(beganMs, beganMs + 30 * MINUTE_MS, ["api-0", ...left]);
  scene.told("api", "api-0", "api");
  scene.tell("api", "api-0", [0, 31]);
  return scene;
}

describe("a pod that came and went while the server was away", () => {
  const cases: readonly (readonly [string, string, readonly number[]])[] = [
    ["was not called: it is over where its evidence ends", "safe", []],
    ["was called", "unsafe", [22]],
  ];
  for (const [what, kind, calls] of cases) {
    it(`and ${what}: ${kind}`, async () => {
      using scene = back();
      scene.tell("api", "api-1", [20, 24], calls);
      scene.pass(1.1);
      assert.equal((await scene.verdict("api")).kind, kind);
    });
  }

  it("and of whom something between is missing: unknown", async () => {
    using scene = back();
    scene.tell("api", "api-1", [20, 22]);
    scene.tell("api", "api-1", [23, 24]);
    scene.pass(1.1);
    const { kind, silent } = await scene.verdict("api");
    assert.equal(kind, "unknown");
    assert.deepEqual(
      silent.map(({ name }) => name),
      ["proxy/shop/api-1"],
    );
  });

  it("and is told of in two reports, a minute apart, is over where the last one ends", async () => {
    using scene = back();
    scene.tell("api", "api-1", [20, 22]);
    scene.pass(1.1);
    scene.tell("api", "api-1", [20, 24]);
    scene.pass(1.1);
    scene.tell("api", "api-0", [0, 32]);
    assert.equal((await scene.verdict("api")).kind, "safe");
    assert.deepEqual(
      scene.scene.members().flatMap(({ goneMs }) => (goneMs === undefined ? [] : [goneMs])),
      [beganMs + 24 * MINUTE_MS],
    );
  });
});

describe("a pod that was there when the server went, and is not when it is back", () => {
  it("is over where its evidence ends, if its agent has told that it is not there any more", async () => {
    using scene = back(["api-1"]);
    scene.heard();
    scene.tell("api", "api-1", [0, 20]);
    scene.pass(1.1);
    assert.equal((await scene.verdict("api")).kind, "safe");
  });

  it("is not known to be over before, if only what was told before is known: its agent may have been away", async () => {
    using scene = back(["api-1"]);
    scene.tell("api", "api-1", [0, 20]);
    scene.heard();
    scene.pass(1.1);
    assert.equal((await scene.verdict("api")).kind, "unknown");
  });
});
