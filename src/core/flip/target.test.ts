import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { peer, service, sidecar, workload } from "../../../test/policy/objects.ts";
import { labelsOf } from "../../../test/support/policy-objects.ts";
import { knownText } from "../kube/guard/known-text.ts";
import { MeshView } from "../policy/mesh-view.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { FlipError } from "./flip-error.ts";
import { namespaceTargets } from "./namespace-targets.ts";
import { resolveTarget } from "./resolve-target.ts";
import { formatTargetText, parseTargetText } from "./target-text.ts";
import { areApart, membersOf, targetKey, type FlipTarget } from "./target.ts";

const viewOf = (...objects: readonly PolicyObject[]): MeshView => new MeshView(objects, "td");
const app = (name: string, more: Readonly<Record<string, string>> = {}) =>
  labelsOf({ app: name, ...more });
const port = { number: 8080, name: "p", protocol: "HTTP" } as const;
const ingress = [{ port, bind: "", defaultEndpoint: "127.0.0.1:9000" }];
const shop = [
  sidecar("shop/all", { ingress }),
  service("shop/api"),
  workload("shop/api-0", { labels: app("api", { version: "v1" }) }),
  workload("shop/api-1", { labels: app("api", { version: "v2" }) }),
  workload("shop/api-vm", { labels: app("api"), serviceAccount: "" }),
  workload("shop/web-0", { labels: app("web"), ports: new Map() }),
  peer({ at: "shop/web", mode: "PERMISSIVE", selector: { app: "web" }, ports: { 9000: "UNSET" } }),
  service("shop/static", { workloadSelector: new Map() }),
  workload("shop/bare", { labels: new Map() }),
  peer({ at: "bank/default", mode: "PERMISSIVE" }),
  service("bank/both"),
  peer({ at: "bank/both", mode: "UNSET", selector: { app: "other" } }),
  service("bank/same"),
  peer({ at: "bank/same", mode: "UNSET", selector: { app: "api" } }),
  clusterService("kube/cart"),
  clusterService("kube/static", { workloadSelector: new Map() }),
  clusterService("kube/two", { workloadSelector: app("cart") }),
  service("kube/two", { workloadSelector: app("other") }),
  workload("kube/cart-1", { labels: app("cart") }),
];

/** As a Service of a cluster stands there: by its host. */
function clusterService(at: string, more: Partial<ServiceEntry> = {}): PolicyObject {
  const [namespace = "", name = ""] = at.split("/");
  const host = `${name}.${namespace}.svc.cluster.local`;
  const ref = { kind: "ServiceEntry", namespace, name: host } as const;
  const own = { ref: { ...ref, standsFor: { kind: "Service", name } as const } };
  return service(`${namespace}/${host}`, { workloadSelector: app(name), ...own, ...more });
}

const resolved: readonly (readonly [text: string, selector: object, ports: readonly number[]])[] = [
  ["shop", {}, []],
  ["shop/api", { app: "api" }, []],
  ["shop/api:8080", { app: "api" }, [8080]],
  ["shop/web:9000", { app: "web" }, [9000]],
  ["shop/serviceentry/api", { app: "api" }, []],
  ["shop/api-0", { app: "api", version: "v1" }, []],
  ["shop/workloadentry/api-1:8080", { app: "api", version: "v2" }, [8080]],
  ["bank/same", { app: "api" }, []],
  ["bank/peerauthentication/both", { app: "other" }, []],
  ["kube/cart", { app: "cart" }, []],
  ["kube/service/cart:8080", { app: "cart" }, [8080]],
  ["kube/cart.kube.svc.cluster.local", { app: "cart" }, []],
  ["kube/service/two", { app: "cart" }, []],
];

describe("a target is", () => {
  for (const [text, selector, ports] of resolved) {
    test(`${text}: ${JSON.stringify(selector)}`, () => {
      const target = resolveTarget(text, viewOf(...shop));
      assert.deepEqual({ ...target.selector }, selector);
      assert.deepEqual(target.ports, ports);
      assert.equal(target.text, text);
    });
  }
});

const refused: readonly (readonly [text: string, code: string, candidates: readonly string[]])[] = [
  ["", "target-invalid", []],
  ["shop/", "target-invalid", []],
  ["shop:8080", "target-invalid", []],
  ["shop/api:0", "target-invalid", []],
  ["shop/api:65536", "target-invalid", []],
  ["Shop/api", "target-invalid", []],
  ["shop/sidecar/all", "target-invalid", []],
  ["shop/api/x/y", "target-invalid", []],
  ["shop/api\n", "target-invalid", []],
  [`shop/${"a".repeat(400)}`, "target-invalid", []],
  ["istio-system", "target-is-mesh", []],
  ["istio-system/x", "target-is-mesh", []],
  ["shoop", "target-unknown", ["bank", "kube", "shop"]],
  ["kube/carts", "target-unknown", ["kube/cart", "kube/cart-1", "kube/two"]],
  ["kube/static", "target-without-selector", []],
  ["kube/two", "target-ambiguous", ["kube/serviceentry/two", "kube/service/two"]],
  ["bank/api", "target-unknown", ["bank/both", "bank/same"]],
  ["shop/peerauthentication/api", "target-unknown", []],
  ["shop/api:81", "target-port-unknown", ["8080"]],
  ["bank/both", "target-ambiguous", ["bank/peerauthentication/both", "bank/serviceentry/both"]],
  ["shop/api-vm", "target-selects-others", []],
  ["shop/bare", "target-without-selector", []],
  ["shop/static", "target-without-selector", []],
  ["bank/default", "target-without-selector", []],
];

describe("no target is", () => {
  for (const [text, code, candidates] of refused) {
    test(`${JSON.stringify(text.slice(0, 40))}: ${code}`, () => {
      assert.throws(
        () => resolveTarget(text, viewOf(...shop)),
        (error) => {
          assert.ok(error instanceof FlipError);
          assert.equal(error.code, code);
          if (candidates.length > 0) assert.deepEqual(error.candidates, candidates);
          assert.match(error.message, /^(expected|there is)/);
          assert.notEqual(error.hint, undefined);
          return true;
        },
      );
    });
  }
});

test("whose labels are others' is told by their names", () => {
  assert.throws(
    () => resolveTarget("shop/api-vm", viewOf(...shop)),
    /shop\/api-0, shop\/api-1, too/,
  );
});

test("what is written is read and written again as it was", () => {
  for (const [text] of resolved) assert.equal(formatTargetText(parseTargetText(text)), text);
});

test("members have a proxy, with the ports that it listens on and those that objects name", () => {
  const view = viewOf(...shop);
  const { members, unmeshed } = membersOf(view, resolveTarget("shop/api", view));
  assert.deepEqual(
    members.map(({ name, enforced, named }) => [name, enforced, named]),
    [
      ["shop/api-0", [8080], [8080]],
      ["shop/api-1", [8080], [8080]],
    ],
  );
  assert.deepEqual(unmeshed, ["shop/api-vm"]);
  const web = membersOf(view, resolveTarget("shop/web", view)).members[0];
  assert.deepEqual([web?.enforced, web?.named], [[8080], [8080, 9000]]);
});

test("of a namespace are members whose ports no policy of their own decides", () => {
  const own = peer({ at: "shop/own", mode: "STRICT", selector: { version: "v1" } });
  const one = peer({
    at: "shop/one",
    mode: "UNSET",
    selector: { version: "v2" },
    ports: { 8080: "STRICT" },
  });
  const view = viewOf(...shop, own, one);
  const { members } = membersOf(view, resolveTarget("shop", view));
  assert.deepEqual(
    members.map(({ name, named }) => [name, named]),
    [
      ["shop/api-1", []],
      ["shop/bare", [8080]],
    ],
  );
});

test("two targets are apart where no workload could be of both", () => {
  const of = (selector: Record<string, string>, namespace = "shop"): FlipTarget => {
    return { text: "", namespace, name: "n", selector, ports: [] };
  };
  assert.ok(areApart(of({ app: "a" }), of({ app: "b" })));
  assert.ok(areApart(of({ app: "a" }), of({ app: "a" }, "bank")));
  assert.ok(!areApart(of({ app: "a" }), of({ version: "1" })));
  assert.ok(!areApart(of({}), of({ app: "b" })));
  assert.equal(targetKey(of({ a: "1", b: "2" })), targetKey(of({ b: "2", a: "1" })));
  assert.notEqual(targetKey(of({ a: "1" })), targetKey({ ...of({ a: "1" }), ports: [80] }));
});

test("a namespace has the targets of its services, and of the workloads that none selects", () => {
  const { targets, others } = namespaceTargets(viewOf(...shop), "shop");
  assert.deepEqual(
    targets.map(({ text }) => text),
    ["shop/api", "shop/web-0"],
  );
  assert.deepEqual(
    others.map(({ name }) => name),
    ["shop/bare"],
  );
  const bank = namespaceTargets(
    viewOf(...shop, workload("bank/a", { labels: app("api") })),
    "bank",
  );
  assert.deepEqual(
    bank.targets.map(({ text }) => text),
    ["bank/serviceentry/both"],
  );
});

test("a Service of a cluster is told by its own name", () => {
  const view = viewOf(sidecar("kube/all", { ingress }), ...shop);
  const { targets } = namespaceTargets(view, "kube");
  assert.deepEqual(
    targets.map(({ text }) => text),
    ["kube/cart"],
  );
  const target = { ...resolveTarget("kube/cart", view), name: "unknown" };
  assert.equal(knownText(view, target), "kube/cart");
});

test("whoever only calls is no target of its namespace, and not named as one that nothing selects", () => {
  const none = { ports: new Map() };
  const only = [
    workload("shop/job", { labels: app("job"), ...none }),
    workload("shop/bare", { labels: new Map(), ...none }),
    workload("shop/web-0", { labels: app("web"), ...none }),
    sidecar("shop/web", { workloadSelector: app("web"), ingress }),
    sidecar("shop/all"),
  ];
  const { targets, others } = namespaceTargets(viewOf(...only), "shop");
  assert.deepEqual([targets.map(({ text }) => text), others], [["shop/web-0"], []]);
});

test("where there is a cluster, the hint is to its services", () => {
  for (const [text, hint] of [
    ["kube/carts", "what there is: portcullis get services -n kube"],
    ["bank/api", "what there is: portcullis get -n bank"],
  ] as const) {
    assert.throws(() => resolveTarget(text, viewOf(...shop)), { code: "target-unknown", hint });
  }
});
