import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRotationSummary, unmetOfRotation, type RotationSummary } from "./summary.ts";

const good: RotationSummary = {
  seed: 1,
  elapsedMs: 50_000,
  workloads: 8,
  requests: { sent: 4_000, failed: 0, slowestMs: 30 },
  failures: [],
  tls: { handshakes: 8_000, resumed: 0, failures: {} },
  pairs: { "1/1": 56, "1/2": 20, "2/1": 30, "2/2": 56 },
  frozen: { agent: "web", spanMs: 5_000, named: ["proxy/web@x"], others: [] },
  wasRolledBack: true,
  holdersNamed: 9,
  rotationMs: 40_000,
};

test("passes what has shown all", () => {
  assert.deepEqual(unmetOfRotation(good), []);
  const text = formatRotationSummary(good, false).join("\n");
  assert.match(text, /A\/A 56, A\/B 20, B\/A 30, B\/B 56 of 56/);
  assert.match(text, /^PASS: /m);
});

const bad: readonly (readonly [string, Partial<RotationSummary>, RegExp])[] = [
  ["a failed request", { requests: { ...good.requests, failed: 1 } }, /1 of 4000 requests/],
  [
    "a handshake that an Envoy counts as failed",
    { tls: { ...good.tls, failures: { fail_verify_error: 2 } } },
    /fail_verify_error 2/,
  ],
  ["a resumed session", { tls: { ...good.tls, resumed: 1 } }, /resumed 1/],
  ["fewer handshakes than requests", { tls: { ...good.tls, handshakes: 7_999 } }, /7999/],
  ["a gate that opened", { frozen: { ...good.frozen, named: [] } }, /not refused while agent web/],
  ["others than the frozen", { frozen: { ...good.frozen, others: ["proxy/x"] } }, /proxy\/x/],
  ["no rollback", { wasRolledBack: false }, /rollback/],
  ["a retirement that waited for nobody", { holdersNamed: 0 }, /retire was not refused/],
  ["a pair that never was", { pairs: { ...good.pairs, "2/2": 55 } }, /B\/B 55/],
  ["no mixed pair", { pairs: { "1/1": 56, "2/2": 56, "1/2": 1 } }, /B\/A 0/],
];

for (const [what, changes, complaint] of bad) {
  test(`does not pass ${what}`, () => {
    assert.match(unmetOfRotation({ ...good, ...changes }).join("\n"), complaint);
  });
}
