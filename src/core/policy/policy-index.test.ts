import assert from "node:assert/strict";
import { test } from "node:test";
import {
  apiHost,
  labelsOf,
  peerOf,
  refOf,
  ruleOf,
  serviceOf,
  trafficOf,
  workloadOf,
} from "../../../test/support/policy-objects.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import type { ResourceRef } from "../resources/resource.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import type { Hold } from "./holds.ts";
import { PolicyIndex } from "./policy-index.ts";
import type { ProxyIdentity } from "./proxy-identity.ts";
import { emptyPolicy } from "./proxy-policy.ts";

const port = { number: 8080, name: "p", protocol: "HTTP" } as const;
const sidecar: Sidecar = {
  ref: refOf("Sidecar", "shop/all"),
  createdMs: undefined,
  workloadSelector: new Map(),
  ingress: [{ port, bind: "", defaultEndpoint: "127.0.0.1:9000" }],
  egress: undefined,
};
const selector = { app: "api" };
const strict = peerOf({ at: "shop/api", mode: "STRICT", selector, ports: { 8081: "DISABLE" } });
const peer = (object = strict): PolicyObject => ({ kind: "PeerAuthentication", object });

const objects: readonly PolicyObject[] = [
  { kind: "ServiceEntry", object: serviceOf() },
  { kind: "WorkloadEntry", object: workloadOf("shop/api-0") },
  { kind: "WorkloadEntry", object: workloadOf("shop/api-1", { address: "10.0.0.2" }) },
  { kind: "Sidecar", object: sidecar },
  {
    kind: "DestinationRule",
    object: ruleOf("shop/api", { traffic: trafficOf({ tls: "ISTIO_MUTUAL" }) }),
  },
  peer(),
];

const proxyOf = (nodeId: string, more: Partial<ProxyIdentity> = {}): ProxyIdentity => ({
  key: nodeId,
  namespace: "shop",
  serviceAccount: "api",
  nodeId,
  claimedLabels: labelsOf({ app: "other" }),
  ...more,
});

function indexOf(proxies: readonly ProxyIdentity[]): PolicyIndex {
  const index = new PolicyIndex("mesh.example");
  for (const each of objects) index.set(each);
  for (const each of proxies) index.addProxy(each);
  return index;
}

const named = (refs: readonly ResourceRef[]) =>
  refs.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);

test("a workload's entry says its labels and address, but only for its service account", () => {
  const index = indexOf([
    proxyOf("api-0"),
    proxyOf("api-1", { serviceAccount: "thief" }),
    proxyOf("nobody"),
  ]);
  assert.deepEqual(index.workloadOf("api-0"), refOf("WorkloadEntry", "shop/api-0"));
  assert.equal(index.addressOf("api-0"), "10.0.0.1");
  assert.equal(index.desired("api-0")?.modes.other, "strict");
  for (const key of ["api-1", "nobody"]) {
    assert.equal(index.workloadOf(key), undefined);
    assert.equal(index.addressOf(key), undefined);
    assert.equal(index.desired(key)?.modes.other, "permissive");
    assert.equal(index.desired(key)?.inbound[0]?.bind, "0.0.0.0");
  }
});

test("a proxy that was not added has nothing", () => {
  const index = indexOf([]);
  assert.equal(index.desired("api-0"), undefined);
  assert.equal(index.portDecision("api-0", 80), undefined);
  assert.deepEqual(index.because("api-0", "inbound_8080"), []);
  index.removeProxy("api-0");
});

test("without a Sidecar there is nothing to listen on, and the modes of the ports stay", () => {
  const index = indexOf([proxyOf("api-0")]);
  index.delete(sidecar.ref);
  const modes = { other: "strict", ports: new Map([[8081, "disable"]]) };
  assert.deepEqual(index.desired("api-0"), { ...emptyPolicy, modes });
});

test("a port's decision has its reason", () => {
  const index = indexOf([proxyOf("api-0")]);
  assert.equal(index.portDecision("api-0", 8080)?.mode, "strict");
  const { mode, because } = index.portDecision("api-0", 8081) ?? {};
  assert.deepEqual([mode, because], ["disable", { ref: strict.ref, rule: "port" }]);
});

const cluster = `outbound|80||${apiHost}`;
const reasons: readonly (readonly [name: string, ...refs: string[]])[] = [
  ["inbound_8080", "Sidecar shop/all", "PeerAuthentication shop/api", "WorkloadEntry shop/api-0"],
  ["inbound|8080", "Sidecar shop/all", "PeerAuthentication shop/api", "WorkloadEntry shop/api-0"],
  ["outbound_127.0.0.1_80", "Sidecar shop/all", "ServiceEntry shop/api"],
  [
    cluster,
    "DestinationRule shop/api",
    "ServiceEntry shop/api",
    "PeerAuthentication shop/api",
    "WorkloadEntry shop/api-0",
    "WorkloadEntry shop/api-1",
  ],
  ["inbound_1"],
  ["outbound_127.0.0.1_81"],
  ["outbound|81||x"],
  ["default"],
];

test("each resource of an Envoy has the objects that it comes from", () => {
  const index = indexOf([proxyOf("api-0")]);
  for (const [name, ...refs] of reasons)
    assert.deepEqual(named(index.because("api-0", name)), refs);
});

test("what is set again as it is changes nothing, and what changes back before it is taken neither", () => {
  const index = indexOf([proxyOf("api-0")]);
  const taken = index.takeChanged().get("api-0");
  for (const each of objects) index.set(structuredClone(each));
  assert.deepEqual(index.takeChanged(), new Map());
  index.set(peer(peerOf({ at: "shop/api", mode: "DISABLE", selector })));
  assert.equal(index.desired("api-0")?.inbound[0]?.mode, "disable");
  index.set(peer());
  assert.deepEqual(index.takeChanged(), new Map());
  assert.equal(index.desired("api-0"), taken);
});

test("proxies that see the same share what they have", () => {
  const index = indexOf([
    proxyOf("api-0"),
    proxyOf("other"),
    proxyOf("web", { namespace: "web", serviceAccount: "web" }),
  ]);
  const ref = refOf("Sidecar", "istio-system/all");
  index.set({ kind: "Sidecar", object: { ...sidecar, ref } });
  index.takeChanged();
  const [own, other, web] = ["api-0", "other", "web"].map((key) => index.desired(key));
  assert.equal(own?.clusters, other?.clusters);
  assert.equal(own?.outbound, other?.outbound);
  assert.notEqual(own?.clusters[0], undefined);
  assert.equal(own?.clusters[0], web?.clusters[0]);
});

test("one workload's policy names that workload and who calls it, and nobody else", () => {
  const index = indexOf([
    proxyOf("api-0"),
    proxyOf("other"),
    proxyOf("web", { namespace: "web", serviceAccount: "web" }),
  ]);
  index.takeChanged();
  // A rule says what is sent: callers have nothing new.
  index.set(peer(peerOf({ at: "shop/api", mode: "DISABLE", selector })));
  assert.deepEqual([...index.takeChanged().keys()], ["api-0"]);
  index.delete(refOf("DestinationRule", "shop/api"));
  assert.deepEqual([...index.takeChanged().keys()].toSorted(), ["api-0", "other"]);
});

test("a rule that is for one client is that client's, though another one saw the same before", () => {
  const index = indexOf([
    proxyOf("front", { claimedLabels: labelsOf({ app: "front" }) }),
    proxyOf("other"),
  ]);
  index.takeChanged();
  const workloadSelector = labelsOf({ app: "front" });
  const traffic = trafficOf({ tls: "DISABLE" });
  const rule = ruleOf("shop/front", { traffic, workloadSelector });
  index.set({ kind: "DestinationRule", object: rule });
  assert.deepEqual([...index.takeChanged().keys()], ["front"]);
  assert.equal(index.desired("front")?.clusters[0]?.mtls, undefined);
  assert.notEqual(index.desired("other")?.clusters[0]?.mtls, undefined);
  index.set({
    kind: "DestinationRule",
    object: { ...rule, workloadSelector: labelsOf({ app: "other" }) },
  });
  assert.deepEqual([...index.takeChanged().keys()].toSorted(), ["front", "other"]);
  index.delete(rule.ref);
  assert.deepEqual([...index.takeChanged().keys()], ["other"]);
  assert.equal(index.desired("front")?.clusters, index.desired("other")?.clusters);
});

const heldApi: Hold = {
  flip: 7,
  namespace: "shop",
  selector: labelsOf(selector),
  ports: [],
  exceptPorts: [],
  strict: new Set(),
};

test("who is held back by a flip is permissive where the objects say STRICT, and nobody else has another policy", () => {
  const index = indexOf([
    proxyOf("api-0"),
    proxyOf("api-1"),
    proxyOf("api-2", { claimedLabels: labelsOf(selector) }),
    proxyOf("other"),
  ]);
  index.takeChanged();
  index.hold([{ ...heldApi, strict: new Set(["shop/api-1"]) }]);
  assert.deepEqual([...index.takeChanged().keys()].toSorted(), ["api-0", "api-2"]);
  const modes = { other: "permissive", ports: new Map([[8081, "disable"]]) };
  assert.deepEqual(index.desired("api-0")?.modes, modes);
  assert.equal(index.desired("api-0")?.inbound[0]?.mode, "permissive");
  assert.equal(index.desired("api-1")?.inbound[0]?.mode, "strict");
  index.hold([{ ...heldApi, strict: new Set(["shop/api-1", "shop/api-2"]) }]);
  assert.deepEqual([...index.takeChanged().keys()], ["api-2"]);
  index.addProxy(proxyOf("api-3", { claimedLabels: labelsOf(selector) }));
  assert.equal(index.takeChanged().get("api-3")?.inbound[0]?.mode, "permissive");
  index.hold([]);
  assert.deepEqual([...index.takeChanged().keys()].toSorted(), ["api-0", "api-3"]);
});

test("a decision that is held back names the flip, the object and what it stands over", () => {
  const index = indexOf([proxyOf("api-0")]);
  index.hold([{ ...heldApi, exceptPorts: [9] }]);
  assert.deepEqual(index.portDecision("api-0", 8080), {
    mode: "permissive",
    because: { ref: strict.ref, rule: "flip" },
    overrode: [{ ref: strict.ref, rule: "workload", mode: "strict" }],
    ignored: [],
    flip: 7,
  });
  assert.equal(index.portDecision("api-0", 9)?.mode, "strict");
  assert.equal(index.portDecision("api-0", 8081)?.mode, "disable");
  const [, because] = index.because("api-0", "inbound_8080");
  assert.deepEqual(because, strict.ref);
});

test("a namespace that is held back leaves strict whose own policy says so, as soon as it does", () => {
  const index = indexOf([proxyOf("api-0"), proxyOf("other")]);
  index.delete(strict.ref);
  index.set(peer(peerOf({ at: "shop/all", mode: "STRICT" })));
  index.hold([{ ...heldApi, selector: new Map() }]);
  index.takeChanged();
  assert.equal(index.desired("api-0")?.modes.other, "permissive");
  index.set(peer(peerOf({ at: "shop/api", mode: "STRICT", selector })));
  assert.deepEqual([...index.takeChanged().keys()], ["api-0"]);
  assert.equal(index.desired("api-0")?.modes.other, "strict");
  assert.equal(index.desired("other")?.modes.other, "permissive");
});
