import assert from "node:assert/strict";
import { test } from "node:test";
import { applied, clientPolicy, serverPolicy } from "../../../test/support/rollout-policies.ts";
import { afterReport, unheard } from "./rollout-proxy.ts";

const [has, refused, other] = [clientPolicy("mtls"), serverPolicy("strict"), clientPolicy("tls")];
const report = applied(has, { pending: [refused], refused });

test("a report that says nothing new changes nothing", () => {
  const first = afterReport(unheard("a"), report);
  assert.equal(afterReport(first, { ...report, pending: [refused] }), first);
  assert.equal(afterReport(first, { ...report, isAnswered: false }), first);
  const equal = clientPolicy("mtls");
  assert.equal(afterReport(first, { ...report, applied: equal }), first);
});

test("each that says another thing changes it", () => {
  const first = afterReport(unheard("a"), report);
  for (const more of [
    { applied: other },
    { applied: undefined },
    { refused: undefined },
    { pending: [] },
    { pending: [other] },
    { pending: [refused, other] },
    { hasListeners: false },
  ]) {
    assert.deepEqual(afterReport(first, { ...report, ...more }), { ...first, ...more });
  }
  const away = { ...first, isConnected: false };
  assert.deepEqual(afterReport(away, report), first);
});

test("what was sent is on its way until a report answers it, whatever that says", () => {
  const sent = { ...afterReport(unheard("a"), report), sent: has };
  assert.equal(afterReport(sent, { ...report, isAnswered: false }), sent);
  assert.deepEqual(afterReport(sent, report), { ...sent, sent: undefined });
});
