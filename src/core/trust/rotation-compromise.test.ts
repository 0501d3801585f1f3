/** A leak takes everything that has its key with it. A small letter is the renewed root of its capital's key. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  afterCommands,
  authorityOf,
  compromiseOf,
  evidenceOf,
  firstTrust,
  idOf,
  keyIdOf,
  letterOf,
  outcomeText,
  prepareOf,
  retire,
  rootOf,
  shapes,
} from "../../../test/support/trust-states.ts";
import { retiredMax } from "./authority.ts";
import { destroyedBy } from "./next-trust.ts";
import { judgePluggedAuthority, retiredIn, type PluggedAuthority } from "./plugged-trust.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { NewAuthority, RotationCommand } from "./rotation.ts";
import { unconfirmedRetired, type TrustState } from "./trust-state.ts";

/** Signs with a key of its own, by the way of intermediates, under a root. */
const under = (signer: string, root: string, intermediates = ""): NewAuthority =>
  authorityOf(root, { id: idOf(signer), chain: Array.from(signer + intermediates, rootOf) });

const prepare = (authority: NewAuthority): RotationCommand => ({ kind: "prepare", authority });
const replaced = (leaked: string, by = "N") => ({
  ...compromiseOf(leaked),
  replacement: authorityOf(by),
});
const outcome = (state: TrustState, command: RotationCommand, evidence = evidenceOf()) =>
  outcomeText(decideRotation(state, command, evidence, 9_000)).split(" -> ")[0];

describe("a compromise of one whose root was renewed", () => {
  const trusting: TrustState = { ...firstTrust, otherRoots: ["a", "X"].map(rootOf) };

  it("distrusts every root of its key", () => {
    const gone = "N active; A compromised; NX";
    assert.equal(outcome(trusting, replaced("A")), gone);
  });

  it("distrusts another authority under a root of that key, too, and has neither sign", () => {
    const sharing = afterCommands([prepare(under("K", "a"))]);
    for (const state of [sharing, afterCommands([activate], sharing)]) {
      for (const leaked of ["A", "K"]) {
        assert.equal(outcome(state, compromiseOf(leaked)), "replacement-needed");
        const decision = decideRotation(state, replaced(leaked), evidenceOf(), 9_000);
        assert.match(outcomeText(decision), /^N active; . compromised; . compromised; N -> /);
        assert.ok(decision.kind === "done");
        assert.deepEqual(destroyedBy(decision).toSorted(), [idOf("A"), idOf("K")]);
      }
    }
  });

  it("distrusts a root with the key of an intermediate of its, and an authority by way of that", () => {
    const state = afterCommands([prepare(under("K", "B", "I"))]);
    const more = { ...state, otherRoots: ["I", "k", "Y"].map(rootOf) };
    assert.equal(outcome(more, compromiseOf("K")), "A active; K compromised; AY");
    const crossed = afterCommands([prepare(under("L", "C", "I"))], {
      ...firstTrust,
      authorities: [{ ...under("K", "B", "I"), formerKeyIds: [], state: "active", sinceMs: 0 }],
    });
    assert.match(
      outcome(crossed, replaced("K")) ?? "",
      /^N active; L compromised; K compromised; N$/,
    );
  });

  it("keeps the key out: as a root, an intermediate or a signing key, and where it replaces itself", () => {
    const leaked = afterCommands([replaced("A")], trusting);
    const known: readonly NewAuthority[] = [
      under("K", "a"),
      under("K", "B", "A"),
      under("A", "B"),
      authorityOf("B", { id: idOf("A") }),
    ];
    for (const authority of known) {
      assert.equal(outcome(leaked, prepare(authority)), "authority-known");
      const replacement = { ...compromiseOf("N"), replacement: authority };
      assert.equal(outcome(leaked, replacement), "authority-known");
      assert.equal(
        outcome(trusting, { ...compromiseOf("A"), replacement: authority }),
        "authority-known",
      );
    }
    const isOther = outcome(leaked, prepare(under("K", "B")));
    assert.equal(isOther, "N active; K prepared; A compromised; BNX");
  });

  it("passes over its roots in files", () => {
    const leaked = afterCommands([replaced("A")], trusting);
    const files = (root: string, roots: string): PluggedAuthority => ({
      id: idOf("K"),
      chain: [rootOf("k")],
      root: rootOf(root),
      roots: Array.from(roots, rootOf),
    });
    const stale = judgePluggedAuthority(leaked, files("a", "aX"), keyIdOf);
    assert.equal(stale.kind === "stale" && letterOf(stale.retired.id), "A");
    const beside = judgePluggedAuthority(leaked, files("N", "NaXY"), keyIdOf);
    assert.ok(beside.kind === "chain");
    assert.deepEqual(beside.state.otherRoots, ["X", "Y"].map(rootOf));
    assert.deepEqual(
      retiredIn(leaked, files("N", "Na"), keyIdOf).map(({ id }) => letterOf(id)),
      ["A"],
    );
  });
});

describe("a compromise of one whose intermediate was replaced", () => {
  const files = (signer: string, intermediates = ""): PluggedAuthority => ({
    ...under(signer, "A", intermediates),
    roots: [rootOf("A")],
  });
  const after = (state: TrustState, plugged: PluggedAuthority): TrustState => {
    const decision = judgePluggedAuthority(state, plugged, keyIdOf);
    assert.ok(decision.kind === "chain");
    return decision.state;
  };

  it("keeps the keys of before out, the newest four", () => {
    const all = ["K", "L", "M", "O", "P", "Q"];
    const state = all.map((each) => files(each)).reduce(after, firstTrust);
    const leaked = afterCommands([replaced("Q")], state);
    const refused = [...all, "A"].filter(
      (each) => outcome(leaked, prepare(under(each, "Z"))) === "authority-known",
    );
    assert.deepEqual(refused, ["L", "M", "O", "P", "Q", "A"]);
    assert.deepEqual(state.authorities[0]?.formerKeyIds.map(letterOf), ["P", "O", "M", "L"]);
  });

  it("keeps the intermediates of before out, and takes none for former that signs again", () => {
    const state = [files("K", "I"), files("L", "J"), files("K", "J")].reduce(after, firstTrust);
    assert.deepEqual(state.authorities[0]?.formerKeyIds.map(letterOf), ["L", "I"]);
    const leaked = afterCommands([replaced("K")], state);
    assert.equal(outcome(leaked, prepare(under("S", "Z", "I"))), "authority-known");
    assert.equal(
      outcome(leaked, prepare(under("S", "Z", "T"))),
      "N active; S prepared; K compromised; NZ",
    );
  });

  it("is foreseen: a key of before signs under no other root meanwhile", () => {
    const state = [files("K"), files("L")].reduce(after, firstTrust);
    assert.equal(outcome(state, prepare(under("K", "B"))), "authority-known");
  });
});

describe("a compromise of what signs", () => {
  const ending = (letter: string, endMs: number) =>
    evidenceOf({
      endsAtMs: ({ id }) => (id === idOf(letter) ? endMs : Infinity),
      lifeMs: { usual: 1_000, longest: 5_000 },
    });

  it("has no other sign that ends before what most ask for, and has the replacement do it", () => {
    const table = [
      ["B, A retiring", "B", "A", "N active; A retiring; B compromised; AN"],
      ["A, B prepared", "A", "B", "N active; B prepared; A compromised; BN"],
    ] as const;
    for (const [shape, leaked, other, expected] of table) {
      const evidence = ending(other, 9_999);
      assert.equal(outcome(shapes[shape], compromiseOf(leaked), evidence), "replacement-needed");
      assert.equal(outcome(shapes[shape], replaced(leaked), evidence), expected);
      const isActive = new RegExp(`^${other} active`);
      assert.match(outcome(shapes[shape], replaced(leaked), ending(other, 10_000)) ?? "", isActive);
    }
  });

  it("says why the other one cannot", () => {
    const refusal = (state: TrustState, command: RotationCommand, evidence = evidenceOf()) => {
      const decision = decideRotation(state, command, evidence, 9_000);
      return decision.kind === "refused" ? decision.refusal.message : "";
    };
    const retiring = shapes["B, A retiring"];
    const keyless = { ...compromiseOf("B"), keylessId: idOf("A") };
    assert.match(
      refusal(firstTrust, compromiseOf("A")),
      /got authority 41, active since \S+ alone$/,
    );
    assert.match(
      refusal(retiring, compromiseOf("B"), ending("A", 9_500)),
      /got authority 42, active since \S+; and authority 41, retiring since \S+, which ends at 1970-01-01T00:00:09Z$/,
    );
    assert.match(refusal(retiring, keyless), /authority 41, .*which has no key here$/);
    const sharing = afterCommands([prepare(under("K", "a"))]);
    assert.match(refusal(sharing, compromiseOf("A")), /authority 4b, .*which has a key of it$/);
  });
});

describe("what was retired", () => {
  const compromises = (count: number): TrustState =>
    Array.from({ length: count }, (_, index) => String.fromCharCode(65 + index)).reduce(
      (state, letter, index) =>
        afterCommands([replaced(letter, String.fromCharCode(66 + index))], state),
      firstTrust,
    );

  it("is remembered until everybody has confirmed it, however many were compromised before", () => {
    const full = afterCommands([{ kind: "confirm" }], compromises(retiredMax));
    const state = afterCommands([prepareOf("Z"), activate, retire], full);
    assert.equal(state.retired.length, retiredMax);
    assert.deepEqual(
      unconfirmedRetired(state).map(({ id }) => letterOf(id)),
      ["I"],
    );
  });

  it("is forgotten before what was compromised, whose oldest goes then", () => {
    const letters = ({ retired }: TrustState) => retired.map(({ id }) => letterOf(id)).join("");
    const state = afterCommands([prepareOf("Z"), activate, retire], compromises(retiredMax - 1));
    assert.equal(letters(state), "HGFEDCBA");
    const next = afterCommands([replaced("Z", "Y")], state);
    assert.equal(letters(next), "ZGFEDCBA");
    assert.equal(letters(afterCommands([replaced("Y", "X")], next)), "YZGFEDCB");
  });
});
