import assert from "node:assert/strict";
import { it } from "node:test";
import { whyNoSoftHsm } from "../test/support/softhsm.ts";
import { measurePkcs11 } from "./pkcs11.ts";

it("measures each kind of key in a token and without one", { skip: whyNoSoftHsm() }, async () => {
  const outcome = await measurePkcs11();
  assert.ok(outcome.kind === "measured");
  assert.equal(outcome.measures.length, 8);
  for (const { name, kind, runs } of outcome.measures) {
    assert.equal(runs.length, 5, name);
    for (const value of runs) assert.ok(value > (kind === "rate" ? 10 : 1) && value < 1e6, name);
  }
});

it("stops when it is told to", { skip: whyNoSoftHsm() }, async () => {
  await assert.rejects(measurePkcs11(AbortSignal.abort()), { name: "AbortError" });
});
