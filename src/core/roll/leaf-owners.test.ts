import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { cart, hourMs, leaf, NOW_MS } from "../../../test/support/roll-scene.ts";
import { LeafHolders } from "./leaf-holders.ts";
import { LeafOwners, type LeavingAgent } from "./leaf-owners.ts";
import type { LeafRecord } from "./leaf-record.ts";

const agent = { spiffeId: cart.spiffeId, agent: "a1" };
const pay = "spiffe://td/ns/shop/sa/pay";

const record: fc.Arbitrary<LeafRecord> = fc.record({
  identity: fc.constantFrom(cart.spiffeId, pay),
  agent: fc.constantFrom("", "a1", "a2"),
  pod: fc.constantFrom("web-0", "web-1"),
  serialHex: fc.constantFrom("01", "02", "03"),
  notAfterMs: fc.nat({ max: 5 * hourMs }).map((ms) => NOW_MS + ms),
  root: fc.constantFrom("0a", "0b"),
  intentIndex: fc.nat({ max: 100 }),
  outcome: fc.constantFrom("signed", "unknown", "open"),
});
/** As in a log: one certificate at an index. */
const log = fc.uniqueArray(record, { selector: ({ intentIndex }) => intentIndex, maxLength: 12 });

type Step = { readonly leaf: LeafRecord } | { readonly goodbye: LeavingAgent };

function apply(owners: LeafOwners, step: Step): void {
  if ("leaf" in step) owners.add(step.leaf);
  else owners.goodbye(step.goodbye, NOW_MS);
}

const words = (owners: LeafOwners): readonly string[] =>
  Array.from(owners.entries(), ([key, { lastIndex, signedIndex, notAfterMs, pod = "" }]) =>
    [key, lastIndex, signedIndex, notAfterMs, pod].join(" "),
  ).toSorted();

describe("the owners of certificates", () => {
  it("are the same in whatever order chunks of the log and news come, and twice is once", () => {
    fc.assert(
      fc.property(
        log.chain((leaves) => {
          const steps: Step[] = leaves.map((each) => ({ leaf: each }));
          return fc.tuple(
            fc.constant(steps),
            fc.shuffledSubarray([...steps, ...steps], { minLength: 2 * steps.length }),
          );
        }),
        ([steps, shuffled]) => {
          const [inOrder, mixed] = [new LeafOwners(), new LeafOwners()];
          for (const step of steps) apply(inOrder, step);
          for (const step of shuffled) apply(mixed, step);
          assert.deepEqual(words(mixed), words(inOrder));
        },
      ),
    );
  });

  it("are in the pod that all their certificates name, else in none that is known", () => {
    for (const [pods, expected] of [
      [["web-0", "web-0"], "web-0"],
      [["web-0", "web-1"], undefined],
      [["web-0", "web-1", "web-0"], undefined],
      [["web-0", undefined], undefined],
      [[undefined, "web-0"], undefined],
    ] as const) {
      const owners = new LeafOwners();
      for (const [at, pod] of pods.entries()) {
        owners.add(leaf({ agent: "a1", intentIndex: at, ...(pod !== undefined && { pod }) }));
      }
      const [[, owner] = assert.fail()] = owners.entries();
      assert.equal(owner.pod, expected);
    }
  });

  it("are gone after a goodbye, for certificates before it and not for later ones", () => {
    fc.assert(
      fc.property(log, fc.nat({ max: 100 }), fc.boolean(), (leaves, lastIndex, isFirst) => {
        const goodbye: Step = { goodbye: { ...agent, lastIndex } };
        const owners = new LeafOwners();
        const steps = leaves.map((each): Step => ({ leaf: each }));
        for (const step of isFirst ? [goodbye, ...steps] : [...steps, goodbye]) apply(owners, step);
        const left = (each: LeafRecord): boolean =>
          each.agent === "a1" && each.identity === cart.spiffeId;
        const stays = leaves.filter((each) => !left(each) || each.intentIndex > lastIndex);
        const expected = new LeafOwners();
        for (const each of stays) expected.add(each);
        const keys = (all: LeafOwners): string[] =>
          Array.from(all.entries(), ([key]) => key).toSorted();
        assert.deepEqual(keys(owners), keys(expected));
      }),
    );
  });

  it("are forgotten when the last of their certificates has expired, by any clock", () => {
    const owners = new LeafOwners();
    owners.add(leaf({ agent: "a1", notAfterMs: NOW_MS + hourMs }));
    owners.add(leaf({ agent: "a1", notAfterMs: NOW_MS + 2 * hourMs, intentIndex: 60 }));
    owners.prune(NOW_MS + 3 * hourMs);
    assert.equal(words(owners).length, 1);
    owners.prune(NOW_MS + 3 * hourMs + 1_000);
    assert.deepEqual(words(owners), []);
  });

  it("are kept apart whatever the names are", () => {
    const owners = new LeafOwners();
    owners.add(leaf({ agent: "x" }));
    owners.add(leaf({ serialHex: "x" }));
    owners.add(leaf({ serialHex: "x", identity: pay, agent: "x" }));
    assert.equal(words(owners).length, 3);
  });

  it("remember a goodbye as long as a chunk of the log may be missing", () => {
    const owners = new LeafOwners();
    owners.goodbye({ ...agent, lastIndex: 60 }, NOW_MS);
    owners.prune(NOW_MS + 24 * hourMs);
    owners.add(leaf({ agent: "a1" }));
    assert.deepEqual(words(owners), []);
    owners.built();
    owners.prune(NOW_MS + hourMs);
    owners.add(leaf({ agent: "a1" }));
    assert.equal(words(owners).length, 1);
  });
});

describe("the holders", () => {
  it("are kept by root, each certificate once, until it has expired by any clock", () => {
    const holders = new LeafHolders();
    const first = leaf({ intentIndex: 1 });
    for (const each of [first, first, leaf({ intentIndex: 2, notAfterMs: NOW_MS + 2 * hourMs })]) {
      holders.add(each);
    }
    holders.add(leaf({ intentIndex: 3, root: "0b" }));
    const indexes = (): readonly (readonly number[])[] =>
      ["0a", "0b", "0c"].map((root) => [...holders.leavesOf(root).keys()]);
    assert.deepEqual(indexes(), [[1, 2], [3], []]);
    assert.equal(holders.lastNotAfterMs("0a"), NOW_MS + 2 * hourMs);
    assert.equal(holders.lastNotAfterMs("0c"), 0);
    holders.prune(NOW_MS + 2 * hourMs + 1_000);
    assert.deepEqual(indexes(), [[2], [], []]);
  });
});

describe("a hundred thousand owners", () => {
  it("need some 400 octets each, with their certificate", (context) => {
    const { gc } = globalThis;
    const [owners, holders] = [new LeafOwners(), new LeafHolders()];
    gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 100_000; index++) {
      const each = leaf({
        identity: `spiffe://td/ns/team/sa/service-${index % 1_000}`,
        agent: `c0ffee00-1234-4abc-8def-${index + 1e11}`,
        intentIndex: index,
        serialHex: `5a5a5a5a5a5a5a5a5a5a5a5a${index + 1e7}`,
      });
      owners.add(each);
      holders.add(each);
    }
    gc?.();
    const octets = (process.memoryUsage().heapUsed - before) / 100_000;
    context.diagnostic(`${octets.toFixed(0)} octets each${gc ? "" : ", with garbage"}`);
    assert.ok(octets < 1_000, String(octets));
    assert.equal(owners.isBuilt || holders.isBuilt, false);
  });
});
