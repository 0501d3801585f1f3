import assert from "node:assert/strict";
import { test } from "node:test";
import { labelsOf, refOf, serviceOf, workloadOf } from "../../../test/support/policy-objects.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import { PolicyGraph } from "./policy-graph.ts";
import { PolicyState } from "./policy-state.ts";

const labels = labelsOf({ app: "api" });
const sidecar: PolicyObject = {
  kind: "Sidecar",
  object: {
    ref: refOf("Sidecar", "shop/all"),
    createdMs: undefined,
    workloadSelector: new Map(),
    ingress: [],
    egress: undefined,
  },
};
const service: PolicyObject = { kind: "ServiceEntry", object: serviceOf() };
const entry = (address: string): PolicyObject => ({
  kind: "WorkloadEntry",
  object: workloadOf("shop/api", { labels, address }),
});

function graphOf(objects: readonly PolicyObject[]) {
  const state = new PolicyState("mesh.example");
  const graph = new PolicyGraph(state);
  const change = (old: PolicyObject | undefined, object: PolicyObject | undefined): void => {
    if (object !== undefined) state.set(object);
    else if (old !== undefined) state.delete(old.object.ref);
    graph.change(old, object);
  };
  for (const each of objects) change(undefined, each);
  return { graph, change };
}

test("a class without proxies sees nothing, though it has endpoints", () => {
  const { graph } = graphOf([service, sidecar, entry("10.0.0.1")]);
  const of = graph.acquire({ namespace: "shop", labels });
  assert.deepEqual([...graph.decide(() => true)], [of]);
  assert.equal(of.view?.clusters.length, 1);
  graph.release(of);
  graph.decide(() => false);
  assert.deepEqual([of.users, of.view, of.sidecar], [1, undefined, undefined]);
});

test("a class is forgotten with its last proxy and endpoint, whatever changed meanwhile", () => {
  const { graph, change } = graphOf([service, entry("10.0.0.1")]);
  const of = graph.acquire({ namespace: "shop", labels });
  change(entry("10.0.0.1"), entry("10.0.0.2"));
  assert.equal(of.users, 2);
  change(entry("10.0.0.2"), undefined);
  graph.release(of);
  assert.equal(of.users, 0);
  assert.notEqual(graph.acquire({ namespace: "shop", labels }), of);
});
