import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  authorityValue,
  closedBy,
  statusOf,
  stepValue,
} from "../../../test/support/root-status.ts";
import { exitCodeOf } from "./root-judgement.ts";
import type { RootAuthorityValue, RootStatusValue } from "./root-value.ts";

const lagging = (status: RootStatusValue): RootStatusValue => ({
  ...status,
  verifiers: { ...status.verifiers, confirmed: 2, lagging: 1 },
});
const active = (changes: Partial<RootAuthorityValue>) =>
  statusOf([authorityValue("a", "active", changes)]);
const prepared = statusOf([authorityValue("b", "prepared"), authorityValue("a", "active")]);
const retiring = statusOf([authorityValue("b", "active"), authorityValue("a", "retiring")]);
const retired = (changes: Partial<RootAuthorityValue> = {}) =>
  statusOf([authorityValue("b", "active"), authorityValue("a", "retired", changes)]);

/** As a server says it whose trust may not be changed. */
const heldBack = (status: RootStatusValue, reason: string): RootStatusValue => ({
  ...status,
  steps: status.steps.map((step) => (step.allowed ? stepValue(step.command, reason) : step)),
});

describe("root status exits with", () => {
  const cases: readonly (readonly [number, string, RootStatusValue])[] = [
    [0, "nothing going on", active({})],
    [0, "a quarter of its life left", active({ lifeLeftPercent: 25 })],
    [3, "less than a quarter left", active({ lifeLeftPercent: 24 })],
    [3, "a tenth left", active({ lifeLeftPercent: 10 })],
    [4, "less than a tenth left", active({ lifeLeftPercent: 9 })],
    [4, "an expired root", active({ lifeLeftPercent: 0 })],
    [
      4,
      "one that retires and is about to expire",
      statusOf([
        authorityValue("b", "active"),
        authorityValue("a", "retiring", { lifeLeftPercent: 1 }),
      ]),
    ],
    [0, "one that is retired and about to expire", retired({ lifeLeftPercent: 0 })],
    [4, "a compromised root that is still held", retired({ compromised: true })],
    [0, "somebody who lags while nothing waits for it", lagging(active({}))],
    [0, "a prepared root that may be activated", prepared],
    [3, "an activation that waits", closedBy(prepared, "activate")],
    [0, "a root that may be retired", retiring],
    [3, "a retirement for which the Lease is missing", heldBack(retiring, "trust-lease-lost")],
    [3, "an activation on a stale server", heldBack(prepared, "trust-secret-advanced")],
    [0, "a stale server that is in no rotation", heldBack(active({}), "trust-secret-advanced")],
    [3, "a retirement that waits", closedBy(retiring, "retire")],
    [3, "somebody who may trust what is retired", lagging(retired())],
  ];
  for (const [code, title, status] of cases) {
    it(`${code} for ${title}`, () => assert.equal(exitCodeOf(status), code));
  }

  it("0 after a rollback, when only abort waits", () => {
    const steps = prepared.steps.map((step) =>
      step.command === "abort" ? { ...step, allowed: false, reason: "holders-left" } : step,
    );
    assert.equal(exitCodeOf({ ...prepared, steps }), 0);
  });
});
