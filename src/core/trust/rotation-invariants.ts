/**
 * What must hold of every change of trust, asserted before it is durable: it does not rely on `rotation-machine.ts`, and a
 * fault there ends in an error instead of an outage.
 */

import { equalBytes, equalSets, hasBytes } from "../bytes.ts";
import type { Gate } from "../roll/laggard.ts";
import { activeAuthority, bundleOf, TrustStateError, type TrustState } from "./trust-state.ts";

/** Why a root may leave the bundle. */
export type Departure =
  /** Nothing hangs on it any more. */
  | { readonly kind: "gate"; readonly root: Uint8Array; readonly holders: Gate }
  /** Each that has a leaked key. */
  | { readonly kind: "compromise"; readonly roots: readonly Uint8Array[] }
  /** The operator's files name it no more, and nothing here has signed under it. */
  | { readonly kind: "files" };

/** @throws TrustStateError `trust-state-invariant` */
export function assertSound(before: TrustState, after: TrustState, departure?: Departure): void {
  assertShape(after);
  const had = bundleOf(before).roots;
  const has = bundleOf(after).roots;
  const { root } = activeAuthority(after);
  assert(hasBytes(has, root), "expected the active root in the bundle");
  assert(
    hasBytes(had, root) || departure?.kind === "compromise",
    "expected a root that was trusted before anything is signed under it",
  );
  const left = had.filter((each) => !hasBytes(has, each));
  assertMayLeave(before, left, departure);
  const hasChanged = left.length > 0 || has.length !== had.length;
  const step = after.bundleSequence - before.bundleSequence;
  assert(step === (hasChanged ? 1n : 0n), "expected a sequence that rises when the roots change");
  const since = hasChanged ? after.bundleSequence : before.rootsSequence;
  assert(after.rootsSequence === since, "expected the sequence of the present roots");
  assert(after.epoch === before.epoch + 1, "expected the next epoch");
}

function assertShape({ authorities }: TrustState): void {
  const states = authorities.map(({ state }) => state);
  assert(
    states.filter((state) => state === "active").length === 1,
    "expected one active authority",
  );
  assert(states.length <= 2, "expected one authority at most beside the active one");
  assert(new Set(authorities.map(({ id }) => id)).size === states.length, "expected two names");
}

/** Where nobody says why, nothing may leave; and what is to leave has left. */
function assertMayLeave(
  before: TrustState,
  left: readonly Uint8Array[],
  departure: Departure | undefined,
): void {
  const signed = before.authorities.filter(({ root }) => hasBytes(left, root));
  switch (departure?.kind) {
    case "gate": {
      assert(departure.holders.kind === "open", "expected an open gate before a root leaves");
      const { root } = departure;
      const isPassive = signed.every(({ state }) => state !== "active");
      const isAlone = left.length === 1 && left.every((each) => equalBytes(each, root));
      assert(isPassive && isAlone, "expected the withdrawn root alone to leave");
      return;
    }
    case "compromise": {
      const { roots } = departure;
      const areAll = equalSets(left, roots);
      assert(signed.length > 0 && areAll, "expected all compromised roots to leave, and no others");
      return;
    }
    case "files":
      assert(signed.length === 0, "expected no authority's root to leave with the files");
      return;
    case undefined:
      assert(left.length === 0, "expected no root to leave the bundle");
  }
}

function assert(holds: boolean, expected: string): asserts holds {
  if (holds) return;
  throw new TrustStateError("trust-state-invariant", `${expected}; nothing has been changed`, {
    hint: "a fault of this program: report it with the output of portcullis root status -o json",
  });
}
