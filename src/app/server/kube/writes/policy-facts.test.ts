import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JudgedPart } from "../../../../core/kube/guard/admission-decision.ts";
import { ObjectCache } from "../../../../core/kube/object-cache.ts";
import type { PeerChange } from "../../../../core/kube/guard/stricter-ports.ts";
import type { ResourceName } from "../../../../core/resources/resource.ts";
import {
  policyKinds,
  type WatchedManifest,
} from "../../../../edge/kube/read/read-policy-objects.ts";
import { PolicyFactsSource, type PolicyFactsOptions } from "./policy-facts.ts";

const never = new AbortController().signal;
const part = (kind: JudgedPart["kind"], ...names: readonly string[]): JudgedPart => {
  return { text: "shop/cart", isNew: false, kind, names };
};

function read(spec: object): WatchedManifest {
  const metadata = { name: "cart", namespace: "shop", uid: "uid" };
  const found = policyKinds[0]?.parse({ metadata, spec });
  assert.ok(found !== undefined);
  return found;
}

function rig(spec: object, parts: readonly JudgedPart[] = [], cut = "") {
  const cache = new ObjectCache<WatchedManifest>();
  const listeners = new Set<(names: readonly ResourceName[]) => void>();
  const asked: PeerChange[] = [];
  const changed = (object: WatchedManifest): void => {
    cache.set(object);
    for (const listener of listeners) listener([object]);
  };
  changed(read(spec));
  const options: PolicyFactsOptions = {
    watch: {
      cache,
      onChange: () => ({ [Symbol.dispose]: () => {} }),
      state: () => assert.fail("nobody asks for it"),
    },
    inForce: (name) => {
      const object = cache.find(name.namespace, name.name)?.loaded?.object;
      return object?.kind === "PeerAuthentication" ? object.object : undefined;
    },
    problems: () => [],
    shares: () => new Map([["shop/cart", { confirmed: 1, total: 3 }]]),
    judge: {
      judge: async (change) => {
        asked.push(change);
        return { parts, cut, namespaces: new Set() };
      },
    },
    onPolicies: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    onProxy: () => ({ [Symbol.dispose]: () => {} }),
    nowMs: () => 0,
  };
  return { source: new PolicyFactsSource(options), asked, changed };
}

const cart = { namespace: "shop", name: "cart" };
const permissive = {
  selector: { matchLabels: { app: "cart" } },
  mtls: { mode: "PERMISSIVE" },
  portLevelMtls: { 80: { mode: "PERMISSIVE" }, 81: { mode: "DISABLE" } },
};

describe("the facts of a PeerAuthentication", () => {
  const verdicts: readonly (readonly [string, readonly JudgedPart[], unknown])[] = [
    ["nothing where it decides for nobody", [], undefined],
    [
      "SAFE where all are",
      [part("safe"), part("safe")],
      { kind: "SAFE", why: "STRICT would refuse nobody who was seen" },
    ],
    [
      "UNSAFE where one is, and who is in the way",
      [
        part("unknown", "shop/a"),
        part("unsafe", "shop/old", "10.0.0.9"),
        part("unsafe", "shop/old"),
      ],
      { kind: "UNSAFE", why: "STRICT would refuse shop/old, 10.0.0.9" },
    ],
    [
      "UNKNOWN where one is, and of whom",
      [part("safe"), part("unknown", "a", "b", "c", "d", "e", "f", "g")],
      { kind: "UNKNOWN", why: "evidence is missing of a, b, c, d, e and 2 more" },
    ],
  ];
  for (const [what, parts, expected] of verdicts) {
    it(`have as their verdict ${what}`, async () => {
      const { source } = rig(permissive, parts);
      assert.deepEqual((await source.conditionsOf(cart, never))?.verdict, expected);
    });
  }

  it("have no SAFE as their verdict where not all was judged", async () => {
    for (const parts of [[], [part("safe")]]) {
      const { source } = rig(permissive, parts, "the disk is broken");
      const { verdict } = (await source.conditionsOf(cart, never)) ?? {};
      assert.deepEqual(verdict, { kind: "UNKNOWN", why: "not all was judged: the disk is broken" });
    }
  });

  it("are judged with STRICT in the place of PERMISSIVE, and of nothing else", async () => {
    const { source, asked } = rig(permissive);
    await source.conditionsOf(cart, never);
    const after = asked[0]?.after;
    assert.equal(after?.mode, "STRICT");
    assert.deepEqual(
      after?.ports,
      new Map([
        [80, "STRICT"],
        [81, "DISABLE"],
      ]),
    );
  });

  it("have no verdict where nothing is let in without TLS", async () => {
    const { source, asked } = rig({ mtls: { mode: "STRICT" } });
    const facts = await source.conditionsOf(cart, never);
    assert.deepEqual(
      [facts?.verdict, facts?.problems, facts?.uid, asked],
      [undefined, [], "uid", []],
    );
    assert.deepEqual(facts?.proxies, { confirmed: 1, total: 3 });
  });

  it("say what is wrong with it, whether it keeps it out or not", async () => {
    const broken = await rig({ mtls: { mode: "STRICTEST" } }).source.conditionsOf(cart, never);
    assert.equal(broken?.problems.length, 1);
    const odd = await rig({ portLevelMtls: { 80: { mode: "STRICT" } } }).source.conditionsOf(
      cart,
      never,
    );
    assert.equal((odd?.problems.length ?? 0) + (odd?.warnings.length ?? 0), 1);
  });

  it("are none for one that does not stand in the cluster", async () => {
    const { source } = rig(permissive);
    assert.equal(await source.conditionsOf({ ...cart, name: "other" }, never), undefined);
  });

  it("are told to be others when the object is another", () => {
    const { source, changed } = rig(permissive);
    const told: (readonly ResourceName[] | undefined)[] = [];
    using _ = source.onChange((names) => void told.push(names));
    changed(read({ mtls: { mode: "STRICT" } }));
    assert.deepEqual(
      told.map((names) => names?.map(({ name }) => name)),
      [["cart"]],
    );
  });
});
