import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { peer, rule, service, sidecar, workload } from "../../../test/policy/objects.ts";
import { apiHost, labelsOf, trafficOf } from "../../../test/support/policy-objects.ts";
import { refKey, type PolicyObject } from "../resources/policy-object.ts";
import type { PeerMode } from "../resources/peer-authentication.ts";
import { MeshView } from "./mesh-view.ts";
import { callChanges } from "./policy-diff-calls.ts";
import { diffPolicies, type PolicyDiff } from "./policy-diff.ts";

const view = (objects: readonly PolicyObject[]): MeshView => new MeshView(objects, "td");
const diff = (before: readonly PolicyObject[], after: readonly PolicyObject[]): PolicyDiff =>
  diffPolicies(view(before), view(after));
const web = workload("web/web", { serviceAccount: "web", labels: labelsOf({ app: "web" }) });
const naked = workload("web/cron1", { serviceAccount: "", labels: labelsOf({ app: "cron" }) });
const base = [sidecar("istio-system/all"), web, naked, workload("shop/api"), service("shop/api")];
const strict = peer({ at: "shop/p", mode: "STRICT" });

/** A line for each change. */
function told({ ports, calls }: PolicyDiff): readonly string[] {
  return [
    ...ports.map(({ workload: { namespace, name }, ports: each, before, after }) =>
      [
        `${namespace}/${name}`,
        each.map((port) => port ?? "other").join(),
        before.mode,
        after.mode,
      ].join(" "),
    ),
    ...calls.map(({ clients, host, port, endpoint, before, after, breaks }) => {
      const how = `${before.sends} ${before.verdict} -> ${after.sends ?? "nothing"} ${after.verdict}`;
      const why = breaks ? ` BREAKS ${after.why}` : "";
      return `${clients.join()} to ${host}:${port} ${endpoint ?? "nobody"}: ${how}${why}`;
    }),
  ];
}

const call = `${apiHost}:80`;
const permissive = "mtls mtls";
const others = service("shop/api", { hosts: ["other.internal"] });
const onlyShop = sidecar("web/s", {
  egress: [{ port: undefined, bind: "", hosts: ["bank/*"] }],
});
const own = sidecar("istio-system/own", {
  egress: [{ port: undefined, bind: "", hosts: ["./*"] }],
});
const cases: readonly (readonly [
  title: string,
  before: readonly PolicyObject[],
  after: readonly PolicyObject[],
  expected: readonly string[],
])[] = [
  ["nothing in the same objects, in another order", base, base.toReversed(), []],
  [
    "nothing where another object decides the same",
    [...base, strict],
    [...base, peer({ at: "shop/q", mode: "STRICT" })],
    [],
  ],
  [
    "whom STRICT shuts out",
    base,
    [...base, strict],
    [
      "shop/api 8080,other permissive strict",
      `web/cron1 to ${call} shop/api: plaintext plaintext -> plaintext refused BREAKS plaintext-to-strict`,
    ],
  ],
  [
    "whom the end of STRICT lets in",
    [...base, strict],
    base,
    [
      "shop/api 8080,other strict permissive",
      `web/cron1 to ${call} shop/api: plaintext refused -> plaintext plaintext`,
    ],
  ],
  [
    "who goes over to plaintext under DISABLE",
    base,
    [...base, peer({ at: "shop/p", mode: "DISABLE", selector: { app: "api" } })],
    [
      "shop/api 8080,other permissive disable",
      `shop/api,web/web to ${call} shop/api: ${permissive} -> plaintext plaintext`,
    ],
  ],
  [
    "only those of the service's namespace where everybody may call his own",
    [...base.slice(1), own],
    [...base.slice(1), own, peer({ at: "shop/p", mode: "DISABLE", selector: { app: "api" } })],
    [
      "shop/api 8080,other permissive disable",
      `shop/api to ${call} shop/api: ${permissive} -> plaintext plaintext`,
    ],
  ],
  [
    "one port of several",
    base,
    [
      ...base,
      peer({ at: "shop/p", mode: "UNSET", selector: { app: "api" }, ports: { 9: "STRICT" } }),
    ],
    ["shop/api 9 permissive strict"],
  ],
  [
    "a rule of a client's own namespace for nobody else",
    [...base, strict],
    [...base, strict, rule("web/d", { traffic: trafficOf({ tls: "DISABLE" }) })],
    [`web/web to ${call} shop/api: ${permissive} -> plaintext refused BREAKS plaintext-to-strict`],
  ],
  [
    "a host that goes",
    base,
    [...base.slice(0, -1), others],
    [
      `shop/api,web/web to ${call} nobody: ${permissive} -> nothing fails BREAKS unknown-host`,
      `web/cron1 to ${call} nobody: plaintext plaintext -> nothing fails BREAKS unknown-host`,
    ],
  ],
  [
    "a Sidecar that lets its workloads call somebody else only",
    base,
    [...base, onlyShop],
    [`web/web to ${call} nobody: ${permissive} -> nothing fails BREAKS not-in-egress`],
  ],
  [
    "the last endpoint that goes",
    base,
    base.filter((each) => each.object.ref.name !== "api" || each.kind !== "WorkloadEntry"),
    [
      `web/cron1 to ${call} nobody: plaintext plaintext -> nothing fails BREAKS no-endpoints`,
      `web/web to ${call} nobody: ${permissive} -> nothing fails BREAKS no-endpoints`,
    ],
  ],
];

for (const [title, before, after, expected] of cases) {
  test(`names ${title}`, () => {
    const found = diff(before, after);
    assert.deepEqual(told(found), expected);
    const broken = found.calls.filter(({ breaks }) => breaks).flatMap(({ clients }) => clients);
    assert.equal(found.summary.callsBroken, broken.length);
  });
}

test("counts workloads that come and go, and names findings that do", () => {
  const { summary, newFindings, goneFindings } = diff(base, [
    ...base.slice(0, -3),
    service("shop/api"),
    workload("bank/new"),
    peer({ at: "x/y", mode: "UNSET", ports: { 1: "STRICT" } }),
  ]);
  assert.deepEqual(
    [summary.workloads, summary.workloadsAdded, summary.workloadsRemoved],
    [1, 1, 2],
  );
  assert.deepEqual(
    newFindings.map(({ code }) => code),
    ["ports-without-selector", "selects-nobody"],
  );
  assert.deepEqual(goneFindings, []);
});

test("decides for clients of one kind what it would decide for each", () => {
  const namespace = fc.constantFrom("istio-system", "shop", "web", "bank");
  const exportTo = fc.constantFrom<readonly string[]>([], ["."], ["*"], ["web"], ["bank", "shop"]);
  const labels = fc.constantFrom({ app: "api" }, { app: "web" }).map(labelsOf);
  const serviceAccount = fc.constantFrom("", "a", "b");
  const tls = fc.constantFrom(undefined, "DISABLE" as const, "ISTIO_MUTUAL" as const);
  const host = fc.constantFrom("a.internal", "b.internal", "*.internal");
  const workloads = fc.record({ namespace, labels, serviceAccount });
  const name = fc.constantFrom("one", "two");
  const peers = fc
    .record({ namespace, mode: fc.constantFrom<PeerMode>("STRICT", "DISABLE") })
    .map(({ namespace: at, mode }) => peer({ at: `${at}/p`, mode }));
  const workloadSelector = fc.option(labels, { nil: labelsOf() });
  const rules = fc
    .record({ namespace, name, host, tls, exportTo, workloadSelector })
    .map(({ namespace: at, name: of, tls: mode, ...more }) =>
      rule(`${at}/${of}`, { ...more, traffic: mode && trafficOf({ tls: mode }) }),
    );
  const services = fc
    .record({ namespace, name, host, exportTo, workloadSelector: labels })
    .map(({ namespace: at, name: of, host: each, ...more }) =>
      service(`${at}/${of}`, { ...more, hosts: [each] }),
    );
  const hosts = fc.constantFrom(["./*"], ["*/*"], ["shop/a.internal", "./*"]);
  const sidecars = fc
    .record({ namespace, name, hosts, workloadSelector })
    .map(({ namespace: at, name: of, hosts: each, workloadSelector: selector }) => {
      const egress = [{ port: undefined, bind: "", hosts: each }];
      return sidecar(`${at}/${of}`, { workloadSelector: selector, egress });
    });
  // Rules make a namespace a kind of its own: with few of them, the other reasons decide.
  const object = fc.oneof(
    { arbitrary: peers, weight: 2 },
    { arbitrary: rules, weight: 1 },
    { arbitrary: services, weight: 4 },
    { arbitrary: sidecars, weight: 2 },
  );
  const objects = fc.uniqueArray(object, {
    maxLength: 8,
    selector: (each) => refKey(each.object.ref),
  });
  fc.assert(
    fc.property(fc.array(workloads, { maxLength: 5 }), objects, objects, (all, old, now) => {
      const entries = all.map(({ namespace: at, ...more }, index) =>
        workload(`${at}/w${index}`, more),
      );
      const [before, after] = [view([...entries, ...old]), view([...entries, ...now])];
      const each = before.objects.workloads.flatMap((was) => {
        const is = after.mesh.services.workload(was.ref) ?? was;
        const names = [`${was.ref.namespace}/${was.ref.name}`];
        const changes = callChanges(before, after, { before: was, after: is, names });
        return changes.map((change) => JSON.stringify({ ...change, client: names[0] }));
      });
      const together = diffPolicies(before, after).calls.flatMap(({ clients, ...change }) =>
        clients.map((client) => JSON.stringify({ ...change, client })),
      );
      assert.deepEqual(together.toSorted(), each.toSorted());
    }),
    { numRuns: 300 },
  );
});
