import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  afterCommands,
  closedGate,
  firstTrust,
  openGate,
  prepareOf,
  rootOf,
} from "../../../test/support/trust-states.ts";
import { assertSound, type Departure } from "./rotation-invariants.ts";
import { TrustStateError, type TrustState } from "./trust-state.ts";

const prepared = afterCommands([prepareOf("B")]);
const retiring = afterCommands([{ kind: "activate" }], prepared);
const [b, a] = retiring.authorities;
const next = (before: TrustState, changes: Partial<TrustState>): TrustState => ({
  ...before,
  epoch: before.epoch + 1,
  ...changes,
});
const risen = retiring.bundleSequence + 1n;
const rises = { bundleSequence: risen, rootsSequence: risen };
const onlyB = next(retiring, { authorities: b ? [b] : [], ...rises });
const onlyA = next(retiring, {
  authorities: a ? [{ ...a, state: "active" as const }] : [],
  ...rises,
});
const trusting: TrustState = { ...firstTrust, otherRoots: [rootOf("X")] };
const untrusting = next(trusting, {
  otherRoots: [],
  bundleSequence: 2n,
  rootsSequence: 2n,
});

const byGate = (letter: string) =>
  ({ kind: "gate", root: rootOf(letter), holders: openGate }) as const;
const compromised = (letters: string) =>
  ({ kind: "compromise", roots: Array.from(letters, rootOf) }) as const;

const isInvariant = (error: unknown): boolean =>
  error instanceof TrustStateError && error.code === "trust-state-invariant";

describe("a change of trust", () => {
  const sound: readonly (readonly [string, TrustState, TrustState, Departure?])[] = [
    ["in which a root leaves by an open gate", retiring, onlyB, byGate("A")],
    ["in which a compromised root leaves", retiring, onlyB, compromised("A")],
    ["in which the compromised root was active", retiring, onlyA, compromised("B")],
    ["in which files trust fewer roots", trusting, untrusting, { kind: "files" }],
    ["in which nothing leaves", retiring, next(retiring, {})],
  ];
  for (const [title, before, after, departure] of sound) {
    it(`${title} is sound`, () => assertSound(before, after, departure));
  }

  const [foreign] = afterCommands([prepareOf("C")]).authorities.slice(1);
  const unsound: readonly (readonly [string, TrustState, TrustState, Departure?])[] = [
    ["in which a root leaves without a reason", retiring, onlyB],
    ["by a closed gate", retiring, onlyB, { ...byGate("A"), holders: closedGate() }],
    ["in which the active root leaves by a gate", retiring, onlyA, byGate("B")],
    ["in which another root leaves than the gate was asked for", retiring, onlyB, byGate("X")],
    [
      "in which a root that nothing signs under leaves by another's gate",
      trusting,
      untrusting,
      byGate("B"),
    ],
    ["in which nothing leaves by an open gate", retiring, next(retiring, {}), byGate("A")],
    [
      "in which one of two compromised roots stays",
      { ...retiring, otherRoots: [rootOf("a")] },
      { ...onlyB, otherRoots: [rootOf("a")] },
      compromised("Aa"),
    ],
    ["in which another root leaves than was compromised", retiring, onlyB, compromised("B")],
    [
      "in which a root that was signed under leaves with the files",
      retiring,
      onlyB,
      { kind: "files" },
    ],
    ["in which a compromise takes a root more", trusting, untrusting, compromised("X")],
    ["without an active authority", retiring, next(retiring, { authorities: a ? [a] : [] })],
    ["without authorities", retiring, next(retiring, { authorities: [] })],
    [
      "with two active ones",
      retiring,
      next(retiring, { authorities: b ? [b, { ...b, id: "cc" }] : [] }),
    ],
    [
      "with three",
      retiring,
      next(retiring, { authorities: b && a ? [b, a, { ...a, id: "cc" }] : [] }),
    ],
    [
      "with one twice",
      retiring,
      next(retiring, { authorities: b && a ? [b, { ...a, id: b.id }] : [] }),
    ],
    [
      "that signs under a root which nobody trusts",
      firstTrust,
      next(firstTrust, {
        authorities: foreign ? [{ ...foreign, state: "active" as const }] : [],
        otherRoots: [rootOf("A")],
        bundleSequence: 2n,
      }),
    ],
    [
      "whose sequence stays though the roots change",
      trusting,
      { ...untrusting, bundleSequence: 1n },
      { kind: "files" },
    ],
    [
      "whose roots are others, and are said to be the former ones",
      trusting,
      { ...untrusting, rootsSequence: 1n },
      { kind: "files" },
    ],
    [
      "whose roots stay, and are said to be others",
      retiring,
      next(retiring, { rootsSequence: retiring.bundleSequence + 1n }),
    ],
    ["whose sequence rises though the roots stay", retiring, next(retiring, rises)],
    ["of the same epoch", retiring, { ...next(retiring, {}), epoch: retiring.epoch }],
  ];
  for (const [title, before, after, departure] of unsound) {
    it(`${title} is a fault`, () => {
      assert.throws(() => assertSound(before, after, departure), isInvariant);
    });
  }
});
