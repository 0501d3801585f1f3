import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  afterCommands,
  authorityOf,
  evidenceOf,
  firstTrust,
  idOf,
  keyIdOf,
  prepareOf,
  rootOf,
} from "../../../test/support/trust-states.ts";
import { destroyedBy } from "./next-trust.ts";
import {
  automaticCommand,
  judgePluggedAuthority,
  retiredIn,
  type PluggedAuthority,
  type PluggedDecision,
} from "./plugged-trust.ts";
import { decideRotation } from "./rotation-machine.ts";
import { activeAuthority, authorityIn, bundleOf, type TrustState } from "./trust-state.ts";

/** An authority's files: its letter's root, and X and Y beside it. */
const files = (letter: string, changes: Partial<PluggedAuthority> = {}): PluggedAuthority => ({
  id: idOf(letter),
  chain: [],
  root: rootOf(letter),
  roots: [letter, "X", "Y"].map(rootOf),
  ...changes,
});

const state: TrustState = { ...firstTrust, otherRoots: ["X", "Y"].map(rootOf) };
const activate = { kind: "activate" } as const;
const retire = { kind: "retire" } as const;
const prepared = afterCommands([prepareOf("B")], state);
const retiring = afterCommands([activate], prepared);
const retired = afterCommands([retire], retiring);
const confirmed = afterCommands([{ kind: "confirm" }], retired);
const compromised = afterCommands([{ kind: "compromise", authorityId: idOf("A") }], prepared);

const letters = (roots: readonly Uint8Array[]): string =>
  roots.map((root) => Buffer.from(root).toString()).join("");

function outcome(decision: PluggedDecision): string {
  switch (decision.kind) {
    case "chain":
    case "roots": {
      const effects = decision.effects.map(({ kind }) => kind).join(", ");
      return `${decision.kind}: ${letters(bundleOf(decision.state).roots)} ${effects}`;
    }
    case "refused":
      return decision.refusal.code;
    case "stale":
      return `stale ${decision.retired.id}`;
    case "prepare":
    case "unchanged":
      return decision.kind;
    default:
      return decision satisfies never;
  }
}

describe("an operator's CA", () => {
  it("that is what it was changes nothing, in whatever order its roots stand", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(["A", "X", "Y"], { minLength: 3 }), (order) => {
        const plugged = files("A", { roots: order.map(rootOf) });
        assert.deepEqual(judgePluggedAuthority(state, plugged, keyIdOf), { kind: "unchanged" });
      }),
    );
  });

  const newChain = { id: idOf("k"), chain: [rootOf("i")] };
  const roots = (text: string): Pick<PluggedAuthority, "roots"> => ({
    roots: Array.from(text, rootOf),
  });
  const table: readonly (readonly [string, TrustState, PluggedAuthority, string])[] = [
    ["another intermediate", state, files("A", newChain), "chain: AXY sign-with, destroy-key"],
    [
      "another certificate of its key",
      state,
      files("A", { chain: [rootOf("i")] }),
      "chain: AXY sign-with",
    ],
    ["an intermediate of the prepared", prepared, files("B", newChain), "chain: ABXY destroy-key"],
    ["an intermediate of the retiring", retiring, files("A", newChain), "chain: ABXY destroy-key"],
    ["one more root besides", state, files("A", roots("AXYZ")), "roots: AXYZ publish-bundle"],
    ["fewer roots besides", state, files("A", roots("A")), "roots: A publish-bundle"],
    ["other roots besides", state, files("A", roots("AXZ")), "roots: AXZ publish-bundle"],
    [
      "another intermediate and fewer roots",
      state,
      files("A", { ...newChain, ...roots("A") }),
      "chain: A publish-bundle, sign-with, destroy-key",
    ],
    ["the roots of both while they rotate", retiring, files("B", roots("ABXY")), "unchanged"],
    ["no root of the one that retires", retiring, files("B"), "unchanged"],
    ["another root to sign under", state, files("B"), "prepare"],
    ["another root while others rotate", retiring, files("C"), "prepare"],
    ["a root that was trusted besides", state, files("X"), "prepare"],
    ["files from before the rotation", retired, files("A"), "stale 41"],
    ["files from before a rotation that is confirmed", confirmed, files("A"), "stale 41"],
    ["files of a compromised authority", compromised, files("A"), "stale 41"],
    ["a compromised root besides", compromised, files("B", roots("ABXY")), "unchanged"],
    ["a retired root besides", retired, files("B", roots("ABXY")), "unchanged"],
    [
      "a retired root and a new one",
      retired,
      files("B", roots("ABXYZ")),
      "roots: BXYZ publish-bundle",
    ],
    ["a root whose retirement is confirmed", confirmed, files("B", roots("ABXY")), "unchanged"],
    [
      "an intermediate with the key of another authority",
      retiring,
      files("A", { ...newChain, id: idOf("B") }),
      "authority-known",
    ],
    [
      "an intermediate with a compromised key",
      compromised,
      files("B", { ...newChain, id: idOf("A") }),
      "authority-known",
    ],
    [
      "more than can be kept",
      state,
      files("A", { chain: [new Uint8Array(12_000)] }),
      "trust-state-too-large",
    ],
  ];
  for (const [title, before, plugged, expected] of table) {
    it(`with ${title}: ${expected}`, () => {
      assert.equal(outcome(judgePluggedAuthority(before, plugged, keyIdOf)), expected);
    });
  }

  it("keeps a key in the store that it signs with under another certificate", () => {
    const decision = judgePluggedAuthority(state, files("A", { chain: [rootOf("i")] }), keyIdOf);
    assert.ok(decision.kind === "chain");
    assert.equal(activeAuthority(decision.state).key, "store");
  });

  it("under a root that was adopted is adopted still, whatever its files bring", () => {
    const adopt = { kind: "prepare", authority: authorityOf("B", { adopted: true }) } as const;
    const adopted = afterCommands([adopt, activate], state);
    const decision = judgePluggedAuthority(adopted, files("B", newChain), keyIdOf);
    assert.ok(decision.kind === "chain");
    const { id, adopted: isAdopted } = activeAuthority(decision.state);
    assert.deepEqual([id, isAdopted], [newChain.id, true]);
  });

  it("with another key leaves the store's key for the files', and destroys that", () => {
    const decision = judgePluggedAuthority(state, files("A", newChain), keyIdOf);
    assert.ok(decision.kind === "chain");
    const { id, key, sinceMs } = activeAuthority(decision.state);
    assert.deepEqual([id, key, sinceMs], [newChain.id, "external", 1_000]);
    assert.deepEqual(destroyedBy(decision), [idOf("A")]);
  });

  it("that names what was retired is told so, and only a prepare trusts that again", () => {
    assert.deepEqual(
      retiredIn(retired, files("B", roots("ABXY")), keyIdOf).map(({ id }) => id),
      [idOf("A")],
    );
    assert.deepEqual(retiredIn(retired, files("B"), keyIdOf), []);
    assert.deepEqual(afterCommands([prepareOf("A")], retired).retired, []);
  });

  it("of another root is prepared, with the roots besides at the next look", () => {
    const plugged = files("B", roots("BZ"));
    const first = judgePluggedAuthority(state, plugged, keyIdOf);
    assert.ok(first.kind === "prepare");
    const { authority } = first.command;
    const expected = authorityOf("B", { key: "external", auto: true });
    assert.deepEqual(authority, expected);
    const decision = decideRotation(state, first.command, evidenceOf(), 2_000);
    assert.ok(decision.kind === "done");
    const second = judgePluggedAuthority(decision.state, plugged, keyIdOf);
    assert.equal(outcome(second), "roots: ABZ publish-bundle");
    assert.ok(second.kind === "roots");
    assert.equal(outcome(judgePluggedAuthority(second.state, plugged, keyIdOf)), "unchanged");
  });
});

describe("a rotation that files began", () => {
  const auto = { kind: "prepare", authority: authorityOf("B", { auto: true }) } as const;

  it("goes on by itself: activate, then retire, then nothing", () => {
    const asked: string[] = [];
    let next = afterCommands([auto]);
    for (let command = automaticCommand(next); command; command = automaticCommand(next)) {
      asked.push(command.kind);
      next = afterCommands([command], next);
    }
    assert.deepEqual(asked, ["activate", "retire"]);
    assert.equal(activeAuthority(next).id, idOf("B"));
  });

  it("stands still after an operator's rollback", () => {
    const back = afterCommands([auto, activate, { kind: "rollback" }]);
    assert.equal(authorityIn(back, "prepared")?.id, idOf("B"));
    assert.equal(automaticCommand(back), undefined);
  });

  it("is none where an operator began it", () => {
    assert.equal(automaticCommand(prepared), undefined);
    assert.equal(automaticCommand(retiring), undefined);
  });
});
