/** Why nothing is signed, and what to do about it, as operators are told. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { pino } from "pino";
import { answerError } from "../../../../edge/kube/answer-error.ts";
import { TrustGate } from "./trust-gate.ts";
import { troubleOf } from "./trust-secret-error.ts";

const place = { namespace: "mesh", name: "trust" };
const forbidden =
  'secrets "trust" is forbidden: User "system:serviceaccount:mesh:portcullis" cannot get resource "secrets" in API group "" in the namespace "mesh"';

describe("why nothing is signed", () => {
  let nowMs: number;
  let lease: { isHeld: boolean; otherHolder: string };
  let gate: TrustGate;

  beforeEach(() => {
    nowMs = 0;
    lease = { isHeld: true, otherHolder: "" };
    const log = pino({ level: "silent" });
    gate = new TrustGate({ place, lease, log, monotonicMs: () => nowMs, silenceMaxMs: 60_000 });
    gate.seen(0);
  });

  it("is nothing while the Secret was seen", () => {
    nowMs = 59_999;
    assert.equal(gate.problem, undefined);
  });

  it("is told with the next command where the Secret is another's", () => {
    gate.shut(troubleOf("forked", place, { local: 3, found: 4 }));
    assert.match(gate.problem?.detail ?? "", /both gone on/);
    assert.match(gate.problem?.hint ?? "", /kubectl -n mesh delete secret trust/);
  });

  it("is told with what to do where another has the Lease", () => {
    lease.otherHolder = "other_1";
    assert.match(gate.problem?.detail ?? "", /^other_1 has the Lease/);
    assert.match(gate.problem?.hint ?? "", /stop this one, or that one/);
  });

  it("is told with what the API server said last, and the right that is missing", () => {
    const body = JSON.stringify({ kind: "Status", message: forbidden });
    gate.failed(answerError("GET /secrets/trust", { status: 403, text: body }));
    nowMs = 70_000;
    assert.equal(gate.problem?.detail, "Secret mesh/trust was not seen for 70 s");
    assert.match(gate.problem?.hint ?? "", /^add to the (Cluster)?Role.*403/);
    gate.seen(nowMs);
    nowMs += 60_000;
    assert.doesNotMatch(gate.problem?.hint ?? "403", /403/);
  });
});
