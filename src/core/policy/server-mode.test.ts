import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { labelsOf, peerOf } from "../../../test/support/policy-objects.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import type { Labelled } from "./labels.ts";
import { PeerPolicies } from "./peer-policies.ts";
import { serverMode, type ServerMode } from "./server-mode.ts";

interface Written {
  readonly namespace: string;
  readonly name: string;
  readonly ageSeconds?: number;
  readonly selector?: Readonly<Record<string, string>>;
  readonly mode: PeerMode;
  readonly ports?: Readonly<Record<string, PeerMode>>;
}

interface Vector {
  readonly name: string;
  readonly policies: readonly Written[];
  readonly expected: { readonly mode: ServerMode; readonly ports?: Record<string, ServerMode> };
}

const nowMs = 1_790_000_000_000;
const policyOf = ({ namespace, name, ageSeconds, ...more }: Written) =>
  peerOf({
    at: `${namespace}/${name}`,
    ...(ageSeconds !== undefined && { createdMs: nowMs - ageSeconds * 1_000 }),
    ...more,
  });

const policiesOf = (written: readonly Written[], root = "root-namespace") =>
  new PeerPolicies(root, written.map(policyOf));

describe("a port takes what Istio's would", () => {
  const file = new URL("../../../test/vectors/istio/peer-authentication.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: readonly Vector[] };
  const target = { namespace: "my-ns", labels: labelsOf({ app: "foo" }) };
  for (const { name, policies, expected } of cases) {
    test(name, () => {
      for (const order of [policies, policies.toReversed()]) {
        const all = policiesOf(order);
        assert.equal(serverMode(all, target, 8080).mode, expected.mode);
        for (const [port, mode] of Object.entries(expected.ports ?? {})) {
          assert.equal(serverMode(all, target, Number(port)).mode, mode, port);
        }
      }
    });
  }
});

const said: readonly (PeerMode | undefined)[] = [
  undefined,
  "UNSET",
  "DISABLE",
  "PERMISSIVE",
  "STRICT",
];
/** The other policy is written differently on purpose: what is said last counts. */
const naive = (chain: readonly (PeerMode | undefined)[]): ServerMode => {
  let mode: PeerMode = "PERMISSIVE";
  for (const each of chain) if (each !== undefined && each !== "UNSET") mode = each;
  return mode.toLowerCase() as ServerMode;
};

test("every mode at mesh, namespace, workload and port together is what the narrowest says", () => {
  const target = { namespace: "shop", labels: labelsOf({ app: "api", version: "2" }) };
  const stranger = { namespace: "shop", labels: labelsOf({ app: "web", version: "2" }) };
  for (const mesh of said) {
    for (const namespace of said) {
      for (const workload of said) {
        for (const port of said) {
          const written: Written[] = [];
          if (mesh !== undefined) written.push({ namespace: "root", name: "m", mode: mesh });
          if (namespace !== undefined)
            written.push({ namespace: "shop", name: "n", mode: namespace });
          if (workload !== undefined) {
            const ports = port === undefined ? {} : { 8080: port };
            const selector = { app: "api", version: "2" };
            written.push({ namespace: "shop", name: "w", selector, mode: workload, ports });
          }
          const all = policiesOf(written, "root");
          const what = JSON.stringify([mesh, namespace, workload, port]);
          const ofPort = workload === undefined ? undefined : port;
          const decide = (of: Labelled, at: number) => serverMode(all, of, at).mode;
          assert.equal(decide(target, 8080), naive([mesh, namespace, workload, ofPort]), what);
          assert.equal(decide(target, 8081), naive([mesh, namespace, workload]), what);
          assert.equal(decide(stranger, 8080), naive([mesh, namespace]), what);
          const elsewhere = { ...target, namespace: "other" };
          assert.equal(decide(elsewhere, 8080), naive([mesh]), what);
        }
      }
    }
  }
});

test("a decision names the policy, what it overrode and what does not count", () => {
  const selector = { app: "api" };
  const all = policiesOf(
    [
      { namespace: "root", name: "mesh", mode: "STRICT", ports: { 80: "DISABLE" } },
      { namespace: "shop", name: "b", mode: "PERMISSIVE" },
      { namespace: "shop", name: "a", mode: "UNSET" },
      {
        namespace: "shop",
        name: "old",
        ageSeconds: 5,
        selector,
        mode: "DISABLE",
        ports: { 80: "STRICT" },
      },
      { namespace: "shop", name: "new", ageSeconds: 1, selector, mode: "PERMISSIVE" },
    ],
    "root",
  );
  const ref = (namespace: string, name: string) => ({
    kind: "PeerAuthentication",
    namespace,
    name,
  });
  assert.deepEqual(serverMode(all, { namespace: "shop", labels: labelsOf(selector) }, 80), {
    mode: "strict",
    because: { ref: ref("shop", "old"), rule: "port" },
    overrode: [
      { ref: ref("root", "mesh"), rule: "mesh", mode: "strict" },
      { ref: ref("shop", "old"), rule: "workload", mode: "disable" },
    ],
    ignored: [
      { ref: ref("shop", "b"), rule: "not-the-oldest" },
      { ref: ref("shop", "new"), rule: "not-the-oldest" },
      { ref: ref("root", "mesh"), rule: "ports-without-selector" },
    ],
  });
});

test("a selector in the root namespace is said to be ignored, by whom it would select", () => {
  const written = {
    namespace: "root",
    name: "x",
    selector: { app: "gate" },
    mode: "STRICT",
  } as const;
  const all = policiesOf([written], "root");
  const decide = (app: string) =>
    serverMode(all, { namespace: "root", labels: labelsOf({ app }) }, 80);
  assert.equal(decide("gate").mode, "permissive");
  assert.deepEqual(
    decide("gate").ignored.map(({ rule }) => rule),
    ["selector-in-root-namespace"],
  );
  assert.deepEqual(decide("other").ignored, []);
});

test("policies that come and go leave what those that are there would make anew", () => {
  const name = fc.constantFrom("a", "b", "c");
  const written = fc.record({
    namespace: fc.constantFrom("root", "shop", "bank"),
    name,
    ageSeconds: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    selector: fc.dictionary(fc.constantFrom("app", "tier"), fc.constantFrom("x", "y"), {
      maxKeys: 2,
    }),
    mode: fc.constantFrom<PeerMode>("UNSET", "DISABLE", "PERMISSIVE", "STRICT"),
    ports: fc.dictionary(
      fc.constantFrom("80", "81"),
      fc.constantFrom<PeerMode>("UNSET", "STRICT", "DISABLE"),
    ),
  });
  const change = fc.record({ written, isDeleted: fc.boolean() });
  const target = fc.record({
    namespace: fc.constantFrom("root", "shop", "bank", "none"),
    labels: fc.dictionary(fc.constantFrom("app", "tier"), fc.constantFrom("x", "y")).map(labelsOf),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 24 }), target, (changes, of) => {
      const changed = new PeerPolicies("root");
      const present = new Map<string, PeerAuthentication>();
      for (const { written: each, isDeleted } of changes) {
        const policy = policyOf(each as Written);
        const key = `${each.namespace}/${each.name}`;
        if (isDeleted) {
          assert.equal(changed.delete(policy.ref), present.get(key));
          present.delete(key);
        } else {
          changed.set(policy);
          present.set(key, policy);
        }
      }
      const anew = new PeerPolicies("root", present.values());
      for (const port of [80, 81]) {
        assert.deepEqual(serverMode(changed, of, port), serverMode(anew, of, port));
      }
    }),
  );
});
