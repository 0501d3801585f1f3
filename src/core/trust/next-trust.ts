/** From one trust state to the next: counted, asserted, with the effects that follow from the difference. */

import { hash } from "node:crypto";
import { equalBytes, hasBytes } from "../bytes.ts";
import {
  retiredMax,
  retiredSignerIdsMax,
  type AuthorityRecord,
  type AuthorityState,
  type NewAuthority,
  type RetiredAuthority,
} from "./authority.ts";
import { assertSound, type Departure } from "./rotation-invariants.ts";
import type { RotationEffect } from "./rotation.ts";
import { activeAuthority, bundleOf, type TrustState } from "./trust-state.ts";

export type TrustChange = Partial<Pick<TrustState, "authorities" | "retired" | "otherRoots">>;

export interface NextTrust {
  readonly state: TrustState;
  readonly effects: readonly RotationEffect[];
}

/**
 * What is signed under is listed as an authority's only, and what is trusted is not listed as retired.
 * @param isReissued what others have signed is to be renewed
 * @throws TrustStateError `trust-state-invariant`
 */
export function nextTrust(
  before: TrustState,
  change: TrustChange,
  { departure, isReissued = false }: { departure?: Departure; isReissued?: boolean } = {},
): NextTrust {
  const changed = inNormalForm({ ...before, ...change, epoch: before.epoch + 1 });
  const isSame = haveSameRoots(before, changed);
  const bundleSequence = isSame ? before.bundleSequence : before.bundleSequence + 1n;
  const state = Object.freeze({
    ...changed,
    bundleSequence,
    rootsSequence: isSame ? before.rootsSequence : bundleSequence,
    authorities: Object.freeze([...changed.authorities]),
    retired: Object.freeze([...changed.retired]),
    otherRoots: Object.freeze([...changed.otherRoots]),
  });
  assertSound(before, state, departure);
  const active = activeAuthority(state);
  const gone = before.authorities.filter(
    ({ id }) => !state.authorities.some((each) => each.id === id),
  );
  return {
    state,
    effects: Object.freeze([
      ...(isSame ? [] : [{ kind: "publish-bundle" } as const]),
      ...(active === activeAuthority(before)
        ? []
        : [{ kind: "sign-with", authorityId: active.id } as const]),
      ...(isReissued ? [{ kind: "reissue" } as const] : []),
      ...gone.map((each) => destruction(each, state)),
    ]),
  };
}

/** IDs of keys. */
export function destroyedBy({ effects }: Pick<NextTrust, "effects">): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === "destroy-key" ? effect.keyIds : []));
}

/** Also of a copy under the key's own ID, and of the keys that it had before. */
function destruction(
  { id, signerIds }: AuthorityRecord,
  { authorities }: TrustState,
): Extract<RotationEffect, { kind: "destroy-key" }> {
  const used = new Set(authorities.map((each) => each.id));
  const keyIds = [...new Set([id, ...signerIds])].filter((each) => !used.has(each));
  return { kind: "destroy-key", authorityId: id, keyIds };
}

function inNormalForm(state: TrustState): TrustState {
  const signing = state.authorities.map(({ root }) => root);
  const otherRoots = state.otherRoots.filter((root) => !hasBytes(signing, root));
  if (state.retired.length === 0) return { ...state, otherRoots };
  const trusted = new Set([...signing, ...otherRoots].map(rootSha256));
  return {
    ...state,
    otherRoots,
    retired: state.retired.filter((each) => !trusted.has(each.rootSha256)),
  };
}

function haveSameRoots(a: TrustState, b: TrustState): boolean {
  const [before, after] = [bundleOf(a).roots, bundleOf(b).roots];
  return before.length === after.length && before.every((root) => hasBytes(after, root));
}

export function inState(
  authority: NewAuthority,
  state: AuthorityState,
  sinceMs: number,
): AuthorityRecord {
  return Object.freeze({ ...authority, state, sinceMs });
}

/** As it is listed in the state, `compromised` where it was distrusted. */
export function withRetired(
  retired: readonly RetiredAuthority[],
  { id, root, signerIds }: AuthorityRecord,
  atMs: number,
  compromised: boolean,
): readonly RetiredAuthority[] {
  const entry = Object.freeze({
    id,
    rootSha256: rootSha256(root),
    atMs,
    compromised,
    signerIds: Object.freeze(signerIds.slice(0, retiredSignerIdsMax)),
    confirmed: false,
  });
  const all = [entry, ...retired];
  if (all.length <= retiredMax) return all;
  // A compromised one is remembered for longer: it must never come back with an old file.
  const forgotten = all.findLast((each) => !each.compromised) ?? all.at(-1);
  return all.filter((each) => each !== forgotten);
}

export function withoutRoot(
  roots: readonly Uint8Array[],
  unwanted: Uint8Array,
): readonly Uint8Array[] {
  return roots.filter((root) => !equalBytes(root, unwanted));
}

/** As `RetiredAuthority` has it. */
export function rootSha256(root: Uint8Array): string {
  return hash("sha256", root, "hex");
}
