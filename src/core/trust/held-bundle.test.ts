import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";
import { decideReplyBundle, decideStreamBundle, type BundleDecision } from "./held-bundle.ts";

const home = TrustDomain.parse("cluster.local");
const abroad = TrustDomain.parse("example.org");

/** @param roots one character each */
function bundle(sequence: number, roots: string, trustDomain: TrustDomain = home): TrustBundle {
  return trustBundle(
    trustDomain,
    BigInt(sequence),
    roots.split("").map((root) => Buffer.from(root)),
  );
}

function show({ kind, bundle: { sequence, roots, trustDomain } }: BundleDecision): string {
  const letters = roots.map((root) => Buffer.from(root).toString()).join("");
  const origin = trustDomain.equals(home) ? "" : ` of ${trustDomain.name}`;
  return `${kind} ${sequence} ${letters}${origin}`;
}

type Case = readonly [title: string, TrustBundle | undefined, TrustBundle, expected: string];

const ofStream: readonly Case[] = [
  ["is taken when none is held", undefined, bundle(3, "A"), "replace 3 A"],
  ["is taken when it is newer", bundle(3, "A"), bundle(4, "AB"), "replace 4 AB"],
  ["is taken when it is newer with the same roots", bundle(3, "A"), bundle(4, "A"), "replace 4 A"],
  ["takes roots away when it is newer", bundle(3, "AB"), bundle(4, "B"), "replace 4 B"],
  [
    "changes nothing when it is the one that is held",
    bundle(3, "AB"),
    bundle(3, "BA"),
    "keep 3 AB",
  ],
  ["is refused when it is older", bundle(3, "AB"), bundle(2, "A"), "rollback 3 AB"],
  [
    "is refused when it is older with the same roots",
    bundle(3, "A"),
    bundle(2, "A"),
    "rollback 3 A",
  ],
  ["corrects what a reply has added", bundle(3, "AB"), bundle(3, "A"), "replace 3 A"],
  ["wins over other roots of its sequence", bundle(3, "A"), bundle(3, "B"), "replace 3 B"],
  ["wins over what came without a sequence", bundle(0, "A"), bundle(1, "B"), "replace 1 B"],
  ["is refused from abroad", bundle(3, "A"), bundle(9, "X", abroad), "rollback 3 A"],
];

/** With the root of its leaf. */
const ofReply: readonly (readonly [...Case, leafRoot: string])[] = [
  ["is taken when none is held", undefined, bundle(0, "A"), "replace 0 A", "A"],
  ["changes nothing when all of it is held", bundle(3, "AB"), bundle(0, "A"), "keep 3 AB", "A"],
  ["adds what its leaf hangs on", bundle(3, "A"), bundle(0, "AB"), "replace 3 AB", "B"],
  ["never takes a root away", bundle(3, "AB"), bundle(0, "BC"), "replace 3 ABC", "C"],
  ["adds to what came without a sequence", bundle(0, "A"), bundle(0, "B"), "replace 0 AB", "B"],
  ["replaces a bundle from abroad", bundle(3, "X", abroad), bundle(0, "A"), "replace 0 A", "A"],
  [
    "brings nothing back that its leaf does not need",
    bundle(3, "B"),
    bundle(0, "AB"),
    "keep 3 B",
    "B",
  ],
];

describe("a bundle from the mesh stream", () => {
  for (const [title, held, came, expected] of ofStream) {
    it(title, () => assert.equal(show(decideStreamBundle(held, came)), expected));
  }
});

describe("a bundle from a CSR's reply", () => {
  for (const [title, held, came, expected, leafRoot] of ofReply) {
    it(title, () => {
      assert.equal(show(decideReplyBundle(held, came, [Buffer.from(leafRoot)])), expected);
    });
  }
});

describe("a held bundle", () => {
  const roots = fc
    .subarray(["A", "B", "C", "D"], { minLength: 1 })
    .map((letters) => letters.join(""));
  const steps = fc.array(
    fc.record({ isReply: fc.boolean(), sequence: fc.integer({ min: 1, max: 6 }), roots }),
    { maxLength: 20 },
  );

  it("never falls back in sequence, and holds what the last word of its stream holds", () => {
    fc.assert(
      fc.property(steps, (steps) => {
        let held: TrustBundle | undefined;
        let word: TrustBundle | undefined;
        for (const { isReply, sequence, roots } of steps) {
          const came = bundle(isReply ? 0 : sequence, roots);
          const leafRoots = came.roots.slice(0, 1);
          const decision = isReply
            ? decideReplyBundle(held, came, leafRoots)
            : decideStreamBundle(held, came);
          assert.ok(decision.bundle.sequence >= (held?.sequence ?? 0n));
          if (!isReply && decision.kind !== "rollback") word = came;
          held = decision.bundle;
          for (const root of word?.roots ?? []) assert.ok(holds(held, root));
          if (isReply) for (const root of leafRoots) assert.ok(holds(held, root));
          assert.equal(held.sequence, word?.sequence ?? 0n);
        }
      }),
    );
  });
});

function holds({ roots }: TrustBundle, root: Uint8Array): boolean {
  return roots.some((each) => Buffer.compare(each, root) === 0);
}
