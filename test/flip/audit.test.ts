/** What the log has of a flip: whom each stage opens, and in whose name the object is written. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SeenConnections } from "../../src/core/evidence/connection.ts";
import {
  begun,
  inForce,
  openScene,
  operator,
  reached,
  settle,
  type FlipsScene,
} from "../flips/flips-rig.ts";
import { eventsOf } from "../server/rotation-rig.ts";

const detailsOf = ({ plane }: FlipsScene): readonly Record<string, unknown>[] =>
  eventsOf(plane.config.dataDir, "flip-changed").map(({ detail }) => JSON.parse(detail));

describe("the log", () => {
  it("names whom each stage opens, also of the last one, which keeps no names", async () => {
    await using scene = await openScene();
    await begun(scene);
    await inForce(scene, 0);
    await settle(scene);
    await reached(scene, "watching");
    const opened = detailsOf(scene).filter(({ workloads }) => workloads !== undefined);
    assert.deepEqual(
      opened.map(({ stage, workloads, unnamed }) => [stage, workloads, unnamed]),
      [
        ["1", ["shop/api-0"], 0],
        ["all", ["shop/api-1", "shop/api-2", "shop/api-3"], 0],
      ],
    );
  });

  it("has the object of a flip that was taken back by itself in nobody's name: no operator has written it", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1", "web-0"] });
    await begun(scene);
    await inForce(scene, 0);
    const web = { kind: "address", address: "10.0.0.12" } as const;
    const failed: Partial<SeenConnections> = { kind: "mtls", isRefused: true, source: web };
    await scene.saw(scene.agents[0] ?? assert.fail(), failed);
    await reached(scene, "reverted");
    const written = eventsOf(scene.plane.config.dataDir, "resources-changed").slice(-2);
    assert.deepEqual(
      written.map(({ operator: who, subject }) => [who, subject]),
      [
        [operator, "applied"],
        ["", "applied"],
      ],
    );
  });
});
