import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { labelsOf, peerOf, refOf } from "../../../../test/support/policy-objects.ts";
import { isFlipPort } from "../../flip/flip.ts";
import { decidePort, Holds, type Hold } from "../../policy/holds.ts";
import type { PeerAuthentication, PeerMode } from "../../resources/peer-authentication.ts";
import {
  onlyRelaxes,
  peersAround,
  stricterParts,
  type KnownWorkload,
  type PeerChange,
  type StricterPart,
} from "./stricter-ports.ts";

const root = "istio-system";
const workload = (name: string, labels: Readonly<Record<string, string>>): KnownWorkload => ({
  name,
  namespace: name.split("/")[0] ?? "",
  labels: labelsOf(labels),
});
const api = workload("shop/api-0", { app: "api" });
const web = workload("shop/web-0", { app: "web" });

function partsOf(
  change: Omit<PeerChange, "name">,
  others: readonly PeerAuthentication[] = [],
  { workloads = [api, web], holds = [] as readonly Hold[] } = {},
): readonly StricterPart[] {
  const ref = (change.after ?? change.before)?.ref ?? refOf("PeerAuthentication", "shop/none");
  const whole = { name: ref, ...change };
  return stricterParts(whole, peersAround(whole, others, root, new Holds(holds)), workloads);
}

const said = (parts: readonly StricterPart[]): readonly unknown[] =>
  parts.map(({ target: { text }, ports: { ports, exceptPorts }, names }) => {
    return [text, [...names], ports, exceptPorts];
  });

const selector = { app: "api" };
const strict = peerOf({ at: "shop/api", mode: "STRICT", selector });
const permissive = peerOf({ at: "shop/api", mode: "PERMISSIVE", selector });
const namespaceStrict = peerOf({ at: "shop/default", mode: "STRICT" });
const meshStrict = peerOf({ at: `${root}/default`, mode: "STRICT" });

describe("a change makes stricter", () => {
  it("those whom the new object selects", () => {
    const expected = [["shop/api", ["shop/api-0"], [], []]];
    assert.deepEqual(said(partsOf({ before: undefined, after: strict })), expected);
    assert.deepEqual(said(partsOf({ before: permissive, after: strict })), expected);
  });

  it("whoever is left to an outer STRICT when the object that held them open goes", () => {
    const expected = [["shop/api", ["shop/api-0"], [], []]];
    for (const outer of [namespaceStrict, meshStrict]) {
      assert.deepEqual(said(partsOf({ before: permissive, after: undefined }, [outer])), expected);
    }
  });

  it("whoever is left out of a selector under an outer STRICT", () => {
    const after = { ...permissive, selector: labelsOf({ app: "web" }) };
    assert.deepEqual(said(partsOf({ before: permissive, after }, [namespaceStrict])), [
      ["shop/api", ["shop/api-0"], [], []],
    ]);
  });

  it("a namespace but for those that have a word of their own", () => {
    assert.deepEqual(said(partsOf({ before: undefined, after: namespaceStrict }, [permissive])), [
      ["shop", ["shop/web-0"], [], []],
    ]);
  });

  it("those of the mesh, by namespace, where it is the root's", () => {
    const parts = partsOf({ before: undefined, after: meshStrict });
    assert.deepEqual(said(parts), [["shop", ["shop/api-0", "shop/web-0"], [], []]]);
    const selecting = peerOf({ at: `${root}/api`, mode: "STRICT", selector });
    assert.deepEqual(partsOf({ before: undefined, after: selecting }), []);
  });

  it("ports that it names, and all others but those that it names otherwise", () => {
    const port = peerOf({
      at: "shop/api",
      mode: "PERMISSIVE",
      selector,
      ports: { 8080: "STRICT" },
    });
    assert.deepEqual(said(partsOf({ before: permissive, after: port })), [
      ["shop/api", ["shop/api-0"], [8080], []],
    ]);
    const but = peerOf({ at: "shop/api", mode: "STRICT", selector, ports: { 8080: "DISABLE" } });
    assert.deepEqual(said(partsOf({ before: permissive, after: but })), [
      ["shop/api", ["shop/api-0"], [], [8080]],
    ]);
  });

  it("nobody where an older object counts, or all is strict already", () => {
    const old = peerOf({ at: "shop/old", mode: "PERMISSIVE", selector, createdMs: 1 });
    assert.deepEqual(partsOf({ before: undefined, after: strict }, [old]), []);
    assert.deepEqual(partsOf({ before: undefined, after: strict }, [namespaceStrict]), []);
  });

  it("nobody whom a flip holds back", () => {
    const hold: Hold = {
      flip: 7,
      namespace: "shop",
      selector: labelsOf(selector),
      ports: [],
      exceptPorts: [],
      strict: new Set(["shop/api-1"]),
    };
    const workloads = [api, { ...api, name: "shop/api-1" }];
    const parts = partsOf({ before: permissive, after: strict }, [], { workloads, holds: [hold] });
    assert.deepEqual(said(parts), [["shop/api", ["shop/api-1"], [], []]]);
  });
});

const modes: readonly PeerMode[] = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
const ports = [80, 81, 82];
const policyAt = (at: string): fc.Arbitrary<PeerAuthentication> =>
  fc
    .record({
      mode: fc.constantFrom(...modes),
      createdMs: fc.constantFrom(1, 2, 3, undefined),
      app: fc.constantFrom("", "api", "web"),
      byPort: fc.dictionary(fc.constantFrom("80", "81"), fc.constantFrom(...modes), { maxKeys: 2 }),
    })
    .map(({ mode, createdMs, app, byPort }) => ({
      ...peerOf({ at, mode, ...(app !== "" && { selector: { app }, ports: byPort }) }),
      createdMs,
    }));
const places = ["shop/a", "shop/b", "shop/c", "pay/a", `${root}/a`, `${root}/b`];
const workloads = [
  api,
  web,
  workload("shop/both-0", { app: "api", tier: "x" }),
  workload("pay/api-0", { app: "api" }),
];
const scene = fc.record({
  others: fc.tuple(...places.map((at) => fc.option(policyAt(at), { nil: undefined }))),
  before: fc.option(policyAt("shop/b"), { nil: undefined }),
  after: fc.option(policyAt("shop/b"), { nil: undefined }),
  isRoot: fc.boolean(),
  isSameAge: fc.boolean(),
});

it("finds each port that was not strict and is, once, and no other", () => {
  fc.assert(
    fc.property(scene, ({ others, before: was, after: is, isRoot, isSameAge }) => {
      const ref = refOf("PeerAuthentication", isRoot ? `${root}/b` : "shop/b");
      const before = was && { ...was, ref };
      const after = is && { ...is, ref, ...(isSameAge && was && { createdMs: was.createdMs }) };
      const change: PeerChange = { name: ref, before, after };
      const known = others.filter((each) => each !== undefined);
      const around = peersAround(change, known, root, new Holds());
      const all = isRoot ? workloads : workloads.filter(({ namespace }) => namespace === "shop");
      const parts = ["shop", "pay"].flatMap((namespace) =>
        stricterParts(
          change,
          around,
          all.filter((each) => each.namespace === namespace),
        ),
      );
      for (const each of workloads) {
        for (const port of ports) {
          const [then, now] = [around.before, around.after].map(
            (peers) => decidePort({ peers }, each, port).mode,
          );
          const isStricter = now === "strict" && then !== "strict";
          const found = parts.filter(
            (part) => part.names.has(each.name) && isFlipPort(part.ports, port),
          );
          assert.equal(found.length, isStricter ? 1 : 0, `${each.name}:${port}`);
        }
      }
      if (onlyRelaxes(change)) assert.deepEqual(parts, []);
    }),
    { numRuns: 2_000 },
  );
});

it("calls a change to PERMISSIVE one that only relaxes, whatever else there is", () => {
  const name = permissive.ref;
  assert.ok(onlyRelaxes({ name, before: undefined, after: permissive }));
  assert.ok(onlyRelaxes({ name, before: strict, after: permissive }));
  assert.ok(onlyRelaxes({ name, before: strict, after: strict }));
  assert.ok(!onlyRelaxes({ name, before: permissive, after: undefined }));
  assert.ok(
    !onlyRelaxes({ name, before: permissive, after: { ...permissive, selector: labelsOf() } }),
  );
  assert.ok(!onlyRelaxes({ name, before: permissive, after: { ...permissive, mode: "UNSET" } }));
});
