import assert from "node:assert/strict";
import { it } from "node:test";
import { said, sessionOf, whole } from "../../../../test/support/reported-policies.ts";
import type { Labels } from "../../../core/resources/resource.ts";
import type { GonePodsView } from "../kube/configuration/gone-pods.ts";
import { PolicyControl } from "../policy/policy-control.ts";
import type { TargetFacts } from "./target-facts.ts";
import { workloadProgress } from "./workload-progress.ts";

const spiffeId = "spiffe://mesh.example/ns/shop/sa/api";
const proxy = `${spiffeId} a ${spiffeId} api-6`;
const labels: Labels = new Map([["app", "api"]]);

const facts: TargetFacts = {
  target: {
    text: "shop/api",
    namespace: "shop",
    name: "api",
    selector: { app: "api" },
    ports: [],
  },
  asked: { isAsked: () => true, isMember: (its) => its.get("app") === "api" },
  object: "before",
  overruledBy: [],
  isObjectThere: true,
  labels: new Map(),
  workloads: [],
};

function controlOf(gonePods?: GonePodsView): PolicyControl {
  return new PolicyControl({
    gonePods,
    trustDomain: "mesh.example",
    events: { policyRefused: () => {}, policyTooLarge: () => {}, policyDropped: () => {} },
    owners: () => ({ isBuilt: false, all: () => [] }),
    nodeAgents: () => new Set(),
    newestNotAfterMs: () => 9e12,
    provenNowMs: () => 0,
    nowMs: () => 0,
  });
}

/** By the evidence alone: the labels that policy knew it by have gone with its pod. */
function absenceIn(control: PolicyControl): unknown {
  const evidenced = [{ proxy, name: "shop/api-6", labels, untilMs: 1, hasGap: false, lost: 0 }];
  const [{ stage, absence, absentUntilMs } = assert.fail()] = workloadProgress(control, {
    facts,
    evidenced,
    waived: new Set(),
  });
  return [stage, absence, absentUntilMs];
}

it("a workload whose pod was deleted is not said to be unheard since the start where it was heard", () => {
  using control = controlOf();
  assert.deepEqual(absenceIn(control), ["silent", "unheard", undefined]);
  const session = sessionOf(spiffeId);
  control.take(session, { spiffeId, agentId: "a" }, whole(said("api-6")));
  control.closed(session);
  assert.deepEqual(absenceIn(control), ["silent", "away", undefined]);
});

it("a workload whose pod is gone is said to be so, until its certificates end", () => {
  const gone = { absence: "pod-gone", absentUntilMs: 9_000 } as const;
  using control = controlOf({
    of: (key) => (key === proxy ? gone : undefined),
    hasEnded: () => false,
  });
  assert.deepEqual(absenceIn(control), ["silent", "pod-gone", 9_000]);
});
