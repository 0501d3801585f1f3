/** Whose host it is, where Services of Kubernetes and ServiceEntries of any namespace have it: in every combination. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sidecar, workload } from "../../../test/policy/objects.ts";
import { labelsOf, refOf, serviceOf } from "../../../test/support/policy-objects.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { findings } from "./findings.ts";
import { MeshView } from "./mesh-view.ts";
import { egressOf, planOutbound } from "./outbound-plan.ts";
import { diffPolicies } from "./policy-diff.ts";
import { Services } from "./services.ts";

const host = "api.shop.svc.cluster.local";

/** As a Service of the shop is put together; the youngest of all. */
const ofCluster = (more: Partial<ServiceEntry> = {}): ServiceEntry =>
  serviceOf({
    ref: { ...refOf("ServiceEntry", `shop/${host}`), standsFor: { kind: "Service", name: "api" } },
    createdMs: 9,
    hosts: [host],
    ...more,
  });

const entry = (at: string, createdMs: number, more: Partial<ServiceEntry> = {}): ServiceEntry =>
  serviceOf({ ref: refOf("ServiceEntry", at), createdMs, hosts: [host], ...more });

function servicesOf(...all: readonly ServiceEntry[]): Services {
  const services = new Services();
  for (const each of all) services.setService(each);
  return services;
}

const everybody = { ref: refOf("Sidecar", "root/default"), ingress: [], egress: undefined };
const sidecarOfAll = { ...everybody, createdMs: undefined, workloadSelector: new Map() };

/** By cluster: whose it is. */
function called(services: Services, namespace: string): Readonly<Record<string, string>> {
  const plan = planOutbound(services, egressOf(sidecarOfAll, namespace));
  return Object.fromEntries(
    Array.from(plan.called, ([name, { service: of }]) => [name, of.ref.namespace]),
  );
}

test("a Service's host is its own for all but those in whose namespace an entry has it, whatever their ages", () => {
  for (const ages of [
    [1, 2],
    [2, 1],
    [10, 11],
  ] as const) {
    const services = servicesOf(ofCluster(), entry("evil/x", ages[0]), entry("web/x", ages[1]));
    const table = { shop: ["shop"], other: ["shop"], evil: ["evil", "shop"], web: ["web", "shop"] };
    for (const [namespace, owners] of Object.entries(table)) {
      const seen = services.seen(host, namespace).map(({ ref }) => ref.namespace);
      assert.deepEqual(seen, owners, namespace);
      assert.deepEqual(called(services, namespace), { [`outbound|80||${host}`]: owners[0] });
    }
  }
});

test("a stranger adds no port to it, and an entry beside it no more than its ports", () => {
  const ports = [{ number: 81, name: "http", protocol: "HTTP", targetPort: undefined }] as const;
  const services = servicesOf(ofCluster(), entry("evil/x", 1, { ports }));
  assert.deepEqual(called(services, "other"), { [`outbound|80||${host}`]: "shop" });
  const beside = servicesOf(ofCluster(), entry("shop/x", 1));
  assert.equal(beside.seen(host, "shop")[0]?.ref.standsFor?.name, "api");
});

test("its short names are its own, too", () => {
  const short = ["api", "api.shop", "api.shop.svc"];
  for (const name of short) {
    const services = servicesOf(ofCluster(), entry("evil/x", 1, { hosts: [name] }));
    const isFull = name !== "api";
    assert.deepEqual(services.seen(name, "shop"), []);
    assert.equal(services.seen(name, "other").length, isFull ? 0 : 1);
    assert.equal(services.seen(name, "evil").length, 1);
    const plan = planOutbound(services, egressOf(sidecarOfAll, "shop"));
    const domains = plan.outbound.flatMap(({ routes }) => routes.flatMap((each) => each.domains));
    assert.deepEqual([plan.called.size, domains.includes(name)], [1, true]);
  }
});

test("a Service that a client does not see takes nothing from it", () => {
  const services = servicesOf(ofCluster({ exportTo: ["."] }), entry("evil/x", 1));
  assert.equal(services.seen(host, "other")[0]?.ref.namespace, "evil");
  assert.equal(services.seen(host, "shop")[0]?.ref.namespace, "shop");
});

test("on one address for all it stands before any entry, so that an older one takes no port away", () => {
  const ports = [{ number: 80, name: "tcp", protocol: "TCP", targetPort: undefined }] as const;
  const services = servicesOf(ofCluster(), entry("evil/x", 1, { hosts: ["x.test"], ports }));
  assert.deepEqual(called(services, "other"), { [`outbound|80||${host}`]: "shop" });
});

test("whoever has written an entry that does not count is told", () => {
  const mesh = (...entries: readonly ServiceEntry[]): readonly PolicyObject[] => [
    sidecar("istio-system/default"),
    workload("shop/api"),
    workload("evil/api"),
    ...[ofCluster(), ...entries].map((object) => ({ kind: "ServiceEntry", object }) as const),
  ];
  const said = (...entries: readonly ServiceEntry[]) =>
    findings(mesh(...entries), { trustDomain: "td" })
      .filter(({ code }) => code === "host-twice")
      .map(({ ref, text }) => `${ref?.namespace} ${text}`);
  assert.deepEqual(said(entry("evil/x", 1)), [
    `evil Service shop/api has ${host}, and counts outside of evil: this one does not`,
  ]);
  assert.deepEqual(said(entry("evil/x", 10, { hosts: ["api.shop"] })), [
    "evil Service shop/api has api.shop, and counts outside of evil: this one does not",
  ]);
  assert.deepEqual(said(entry("shop/x", 1)), [
    `shop Service shop/api has ${host}, and counts in its place: this one does not`,
  ]);
  assert.deepEqual(said(entry("evil/x", 1, { exportTo: ["."] })), []);
});

test("a difference tells those apart for whom an entry counts", () => {
  const plain = labelsOf({ app: "web" });
  const clients = ["evil/a", "other/a", "shop/a"].map((at) => workload(at, { labels: plain }));
  const base = [sidecar("istio-system/default"), ...clients, workload("shop/api")];
  const all = [ofCluster({ exportTo: [] }), entry("evil/x", 1, { workloadSelector: new Map() })];
  const objects = all.map((object) => ({ kind: "ServiceEntry", object }) as const);
  const view = (more: readonly PolicyObject[]) => new MeshView([...base, ...more], "td");
  const without = objects.slice(0, 1);
  const { calls } = diffPolicies(view(without), view(objects));
  assert.deepEqual([...new Set(calls.flatMap((each) => each.clients))], ["evil/a"]);
});
