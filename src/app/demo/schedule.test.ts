import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { agentPauseMs, drawSchedule, leafSeconds, outageMs, trafficMs } from "./schedule.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test("draws the same schedule for the same seed, and others for others", () => {
  fc.assert(fc.property(seeds, (seed) => assert.deepEqual(drawSchedule(seed), drawSchedule(seed))));
  const drawn = Array.from({ length: 100 }, (_, seed) => drawSchedule(seed));
  assert.equal(new Set(drawn.map((schedule) => JSON.stringify(schedule))).size, 100);
  assert.deepEqual(new Set(drawn.map(({ agent }) => agent)), new Set(["client", "server"]));
});

test("leaves time for two renewals after whatever it kills", () => {
  const latestRenewalMs = 0.55 * leafSeconds * 1_000;
  fc.assert(
    fc.property(seeds, (seed) => {
      const { controlPlaneKillMs, agentKillMs } = drawSchedule(seed);
      const backMs = controlPlaneKillMs + outageMs;
      // The outage begins just before the first renewal is due, or just before the second.
      const firstMs = Math.min(backMs, latestRenewalMs + outageMs);
      const secondMs = Math.max(firstMs + latestRenewalMs, backMs);
      assert(secondMs + 5_000 <= trafficMs);
      assert(agentKillMs + agentPauseMs + 5_000 <= trafficMs);
    }),
  );
});

test("keeps the control plane away for less than a leaf has left when its renewal is due", () => {
  assert(outageMs < leafSeconds * 1_000 * (1 - 0.55));
});
