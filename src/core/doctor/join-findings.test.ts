import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { judgeCluster, noFacts } from "./cluster-facts.ts";
import { checkIds, judge, ok, unknown, type CheckStatus, type DoctorFinding } from "./finding.ts";
import { allSkipped, joinFindings, worstOf } from "./join-findings.ts";

const statuses: readonly CheckStatus[] = ["ok", "warning", "critical", "skipped"];
const finding = fc.record({
  id: fc.constantFrom("rbac", "ports", "of-a-newer-server"),
  status: fc.constantFrom(...statuses),
  finding: fc.constantFrom("a", "b"),
  hint: fc.constantFrom("", "c"),
});
const sources = fc.array(fc.array(finding, { maxLength: 4 }), { maxLength: 3 });

describe("findings of several", () => {
  it("have each check that anybody has looked at, by the nearest who could", () => {
    fc.assert(
      fc.property(sources, (given) => {
        const joined = joinFindings(given);
        for (const id of new Set(given.flat().map((each) => each.id))) {
          const of = (all: readonly DoctorFinding[]) => all.filter((each) => each.id === id);
          const nearest = given
            .map(of)
            .find((all) => all.some(({ status }) => status !== "skipped"));
          if (nearest === undefined) {
            assert.deepEqual(
              of(joined).map(({ status }) => status),
              ["skipped"],
            );
          } else assert.deepEqual(of(joined), nearest);
        }
      }),
    );
  });

  it("are made well by nobody who could not look", () => {
    fc.assert(
      fc.property(sources, (given) => {
        const isOk = given.flat().some(({ status }) => status === "ok");
        assert.ok(isOk || !joinFindings(given).some(({ status }) => status === "ok"));
      }),
    );
  });

  it("are as bad as the worst of them, and nothing where nobody could look", () => {
    assert.equal(worstOf([]), "skipped");
    assert.equal(worstOf(allSkipped("away")), "skipped");
    const each = (status: CheckStatus): DoctorFinding => ({ ...ok(""), id: "a", status });
    assert.equal(worstOf([each("skipped"), each("ok")]), "ok");
    assert.equal(worstOf([each("ok"), each("critical"), each("warning")]), "critical");
  });

  it("say each reason once where nobody could look", () => {
    const said = joinFindings([allSkipped("a"), allSkipped("b"), allSkipped("a")]);
    assert.deepEqual(
      said.map(({ id }) => id),
      checkIds,
    );
    assert.ok(said.every(({ finding }) => finding === "a; b"));
  });
});

describe("a fact that nobody has", () => {
  it("makes a check skipped, and never well", () => {
    const none = unknown("403", "ask for it");
    assert.deepEqual(
      judge("rbac", none, () => [ok("fine")]),
      [{ id: "rbac", status: "skipped", finding: "403", hint: "ask for it" }],
    );
    const all = judgeCluster(noFacts(none), { settings: none, roots: none });
    assert.ok(all.every(({ status, finding }) => status === "skipped" && finding === "403"));
  });
});
