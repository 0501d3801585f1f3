/** Why nothing is signed, and what to do about it, as operators are told. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { pino } from "pino";
import { answerError } from "../../../../edge/kube/answer-error.ts";
import { TrustGate } from "./trust-gate.ts";
import { troubleOf, type TrustSecretError } from "./trust-secret-error.ts";

const place = { namespace: "mesh", name: "trust" };
const forbidden =
  'secrets "trust" is forbidden: User "system:serviceaccount:mesh:portcullis" cannot get resource "secrets" in API group "" in the namespace "mesh"';

describe("whether trust may be changed, and whether it is told why not", () => {
  const shut = troubleOf("adopt", place, { local: 3, found: 4 });
  const table: readonly (readonly [string, Scene, string, boolean])[] = [
    ["it is the holder's", {}, "", false],
    ["nobody has the Lease", { isHeld: false }, "trust-lease-lost", false],
    ["another has the Lease", { isHeld: false, otherHolder: "b" }, "trust-lease-taken", true],
    ["the Secret is not seen", { silentMs: 60_000 }, "trust-secret-silent", false],
    ["it was taken further", { shut, isHeld: false }, "trust-secret-advanced", true],
    [
      "that is so, and another has the Lease",
      { shut, otherHolder: "b" },
      "trust-secret-advanced",
      true,
    ],
  ];
  for (const [when, scene, code, isOvertaken] of table) {
    it(`says ${code || "nothing"} when ${when}`, () => {
      const { isHeld = true, otherHolder = "", silentMs = 0, shut: error } = scene;
      const lease = { isHeld, otherHolder };
      const log = pino({ level: "silent" });
      const clocks = { monotonicMs: () => silentMs, silenceMaxMs: 60_000 };
      const gate = new TrustGate({ place, lease, log, ...clocks });
      gate.seen(0);
      if (error !== undefined) gate.shut(error);
      assert.equal(gate.hold?.code ?? "", code);
      // What is urgent waits for no API server.
      if (isOvertaken) assert.throws(() => gate.assertNotOvertaken(), { code });
      else assert.doesNotThrow(() => gate.assertNotOvertaken());
      if (code === "") assert.doesNotThrow(() => gate.assertMayChange());
      else assert.throws(() => gate.assertMayChange(), { code });
    });
  }
});

interface Scene {
  readonly isHeld?: boolean;
  readonly otherHolder?: string;
  readonly silentMs?: number;
  readonly shut?: TrustSecretError;
}

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
