import assert from "node:assert/strict";
import { test } from "node:test";
import { labelsOf, refOf } from "../../../test/support/policy-objects.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import { Sidecars } from "./sidecars.ts";

interface Written {
  readonly at: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly createdMs?: number;
}

function sidecarOf({ at, selector, createdMs }: Written): Sidecar {
  const ref = refOf("Sidecar", at);
  return { ref, createdMs, workloadSelector: labelsOf(selector), ingress: [], egress: undefined };
}

const front = { namespace: "web", labels: labelsOf({ app: "front", tier: "1" }) };
const selector = { app: "front" };

const cases: readonly (readonly [title: string, found: string | undefined, ...all: Written[]])[] = [
  ["none where there is none", undefined],
  ["the one that selects it", "web/b", { at: "web/a" }, { at: "web/b", selector }],
  ["its namespace's where none selects it", "web/a", { at: "web/a" }, { at: "root/a" }],
  ["the root namespace's where its own has none", "root/a", { at: "root/a" }],
  ["none of another namespace", undefined, { at: "shop/a" }, { at: "shop/b", selector }],
  ["none of the root namespace that selects", undefined, { at: "root/a", selector }],
  [
    "none that selects another",
    "web/a",
    { at: "web/a" },
    { at: "web/b", selector: { app: "front", tier: "2" } },
  ],
  [
    "the oldest of those that select it",
    "web/b",
    { at: "web/a", selector, createdMs: 2 },
    { at: "web/b", selector: { tier: "1" }, createdMs: 1 },
  ],
  ["the oldest of its namespace's", "web/b", { at: "web/a" }, { at: "web/b", createdMs: 1 }],
];

for (const [title, found, ...all] of cases) {
  test(`a workload has ${title}`, () => {
    for (const order of [all, all.toReversed()]) {
      const sidecars = new Sidecars("root");
      for (const each of order) sidecars.set(sidecarOf(each));
      const ref = sidecars.ofWorkload(front)?.ref;
      assert.equal(ref && `${ref.namespace}/${ref.name}`, found);
    }
  });
}

test("a Sidecar that is deleted, or selects another now, is had no more", () => {
  const sidecars = new Sidecars("root");
  sidecars.set(sidecarOf({ at: "web/a", selector }));
  sidecars.set(sidecarOf({ at: "web/a", selector: { app: "back" } }));
  assert.equal(sidecars.ofWorkload(front), undefined);
  sidecars.set(sidecarOf({ at: "web/a" }));
  assert.notEqual(sidecars.ofWorkload(front), undefined);
  sidecars.delete({ namespace: "web", name: "a" });
  assert.equal(sidecars.ofWorkload(front), undefined);
});
