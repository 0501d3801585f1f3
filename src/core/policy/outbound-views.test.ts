import assert from "node:assert/strict";
import { test } from "node:test";
import { labelsOf, refOf, serviceOf } from "../../../test/support/policy-objects.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import { ClusterNodes } from "./cluster-nodes.ts";
import type { OutboundView } from "./outbound-view.ts";
import { OutboundViews } from "./outbound-views.ts";
import { Services } from "./services.ts";
import { WorkloadClasses } from "./workload-classes.ts";

const sidecar: Sidecar = {
  ref: refOf("Sidecar", "web/all"),
  createdMs: undefined,
  workloadSelector: new Map(),
  ingress: [],
  egress: undefined,
};

test("a view is shared by those who see the same, and forgotten with its clusters when nobody has it", () => {
  const endpoints = [] as const;
  const cluster = { name: "c", addresses: "eds", isHttp2: false, protocol: "http" } as const;
  const nodes = new ClusterNodes<OutboundView>(() => ({
    ...cluster,
    mtls: undefined,
    origination: undefined,
    endpoints,
  }));
  const views = new OutboundViews(nodes);
  const classes = new WorkloadClasses(() => ({ other: "permissive", ports: new Map() }));
  const [front, back] = ["front", "back"].map((app) =>
    classes.acquire({ namespace: "web", labels: labelsOf({ app }) }),
  );
  assert(front !== undefined && back !== undefined);
  const services = new Services();
  services.setService(serviceOf());

  const first = views.join(front, sidecar, "");
  assert(first !== undefined);
  first.plan(services, nodes, () => undefined);
  assert.equal(nodes.ofService("shop/api").length, 1);
  assert.equal(views.join(back, { ...sidecar, ref: refOf("Sidecar", "web/other") }, ""), undefined);
  assert.equal(back.view, first);
  assert.deepEqual([...views.selecting(serviceOf())], [first]);

  const second = views.join(back, sidecar, "rule");
  assert.notEqual(second, undefined);
  assert.deepEqual([...views.classesOf(first)], [front]);
  views.join(front, undefined, "");
  views.leave(back);
  assert.deepEqual([...views.all()], []);
  assert.deepEqual(nodes.ofService("shop/api"), []);
  assert.equal(views.selecting(serviceOf()).size, 0);
});
