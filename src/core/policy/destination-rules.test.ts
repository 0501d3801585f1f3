import assert from "node:assert/strict";
import { test } from "node:test";
import {
  labelsOf,
  ruleOf as writtenRule,
  trafficOf,
} from "../../../test/support/policy-objects.ts";
import type { ClientTlsMode } from "../resources/client-tls.ts";
import type { DestinationRule } from "../resources/destination-rule.ts";
import { DestinationRules } from "./destination-rules.ts";

interface Written {
  readonly at: string;
  readonly host?: string;
  readonly tls?: ClientTlsMode;
  readonly selector?: Readonly<Record<string, string>>;
  readonly exportTo?: readonly string[];
  readonly subsets?: readonly string[];
  readonly createdMs?: number;
}

const host = "api.shop.svc.cluster.local";
function ruleOf(it: Written): DestinationRule {
  return writtenRule(it.at, {
    createdMs: it.createdMs,
    host: it.host ?? host,
    traffic: it.tls && trafficOf({ tls: it.tls }),
    subsets: (it.subsets ?? []).map((name) => ({ name, labels: new Map(), traffic: undefined })),
    workloadSelector: labelsOf(it.selector),
    exportTo: it.exportTo ?? [],
  });
}

const lookUp = (
  written: readonly Written[],
  namespace = "web",
  labels: Record<string, string> = {},
) => {
  const client = { namespace, labels: labelsOf(labels) };
  const found = new DestinationRules("root", written.map(ruleOf)).ruleFor(client, host, "shop");
  return found && `${found.ref.namespace}/${found.ref.name}`;
};

const cases: readonly (readonly [
  title: string,
  found: string | undefined,
  ...written: Written[],
])[] = [
  ["none where there is none", undefined],
  [
    "its own namespace's before the service's",
    "web/a",
    { at: "shop/a" },
    { at: "web/a" },
    { at: "root/a" },
  ],
  ["the service's before the root namespace's", "shop/a", { at: "root/a" }, { at: "shop/a" }],
  ["the root namespace's where there is no other", "root/a", { at: "root/a" }],
  ["no other namespace's", undefined, { at: "bank/a" }],
  [
    "the host itself before a wildcard",
    "web/a",
    { at: "web/b", host: "*.shop.svc.cluster.local" },
    { at: "web/a" },
  ],
  [
    "the longer wildcard",
    "web/b",
    { at: "web/a", host: "*.local" },
    { at: "web/b", host: "*.svc.cluster.local" },
  ],
  [
    "a wildcard of its own before the service's host",
    "web/a",
    { at: "web/a", host: "*" },
    { at: "shop/a" },
  ],
  ["none that is not exported to it", undefined, { at: "shop/a", exportTo: ["."] }],
  ["one that is exported to it", "shop/a", { at: "shop/a", exportTo: ["bank", "web"] }],
  ["one of its own that is private", "web/a", { at: "web/a", exportTo: ["."] }],
  [
    "one that selects it before one for all",
    "web/b",
    { at: "web/a" },
    { at: "web/b", selector: { app: "front" } },
  ],
  [
    "none that selects another",
    "web/a",
    { at: "web/a" },
    { at: "web/b", selector: { app: "back" } },
  ],
  ["no selector of another namespace", undefined, { at: "shop/a", selector: { app: "front" } }],
  [
    "the oldest that says something",
    "web/b",
    { at: "web/a", tls: "SIMPLE", createdMs: 2 },
    { at: "web/b", tls: "DISABLE", createdMs: 1 },
    { at: "web/c", createdMs: 0 },
  ],
  [
    "by name where nothing says how old they are",
    "web/a",
    { at: "web/b", tls: "SIMPLE" },
    { at: "web/a", tls: "DISABLE" },
  ],
];

for (const [title, found, ...written] of cases) {
  test(`a client goes by ${title}`, () => {
    assert.equal(lookUp(written, "web", { app: "front" }), found);
    assert.equal(lookUp(written.toReversed(), "web", { app: "front" }), found);
  });
}

test("rules of one host are one: each brings its subsets, and the younger traffic policy is named", () => {
  const rules = new DestinationRules("root", [
    ruleOf({ at: "web/new", createdMs: 2, tls: "SIMPLE", subsets: ["v2", "v1"] }),
    ruleOf({ at: "web/old", createdMs: 1, tls: "DISABLE", subsets: ["v1"] }),
  ]);
  const found = rules.ruleFor({ namespace: "web", labels: new Map() }, host, "shop");
  assert.deepEqual(
    found?.subsets.map(({ name, ref }) => `${ref.name} ${name}`),
    ["old v1", "new v2"],
  );
  assert.deepEqual(
    found?.ignored.map(({ name }) => name),
    ["new"],
  );
});

test("a rule that is deleted, or has another host now, is found no more", () => {
  const rules = new DestinationRules("root", [ruleOf({ at: "web/a" })]);
  const client = { namespace: "web", labels: new Map() };
  rules.set(ruleOf({ at: "web/a", host: "other.shop.svc.cluster.local" }));
  assert.equal(rules.ruleFor(client, host, "shop"), undefined);
  rules.set(ruleOf({ at: "web/a" }));
  assert.notEqual(rules.ruleFor(client, host, "shop"), undefined);
  rules.delete({ namespace: "web", name: "a" });
  rules.delete({ namespace: "web", name: "a" });
  assert.equal(rules.ruleFor(client, host, "shop"), undefined);
});
