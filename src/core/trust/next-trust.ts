/** From one trust state to the next: counted, asserted, with the effects that follow from the difference. */

import { equalSets, hasBytes } from "../bytes.ts";
import { rootSha256 } from "../spiffe/roots-digest.ts";
import {
  compromisedKeysMax,
  retiredMax,
  type AuthorityRecord,
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
      ...gone.map(({ id }) => ({ kind: "destroy-key", authorityId: id }) as const),
    ]),
  };
}

/** IDs of keys. */
export function destroyedBy({ effects }: Pick<NextTrust, "effects">): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === "destroy-key" ? [effect.authorityId] : []));
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
  return equalSets(bundleOf(a).roots, bundleOf(b).roots);
}

/**
 * As it is listed in the state.
 * @param leakedKeyIds of one that was compromised: all of its keys
 */
export function withRetired(
  retired: readonly RetiredAuthority[],
  { id, root }: AuthorityRecord,
  atMs: number,
  leakedKeyIds?: readonly string[],
): readonly RetiredAuthority[] {
  const keyIds = (leakedKeyIds ?? []).filter((each) => each !== id).slice(0, compromisedKeysMax);
  const entry = Object.freeze({
    id,
    rootSha256: rootSha256(root),
    atMs,
    compromised: leakedKeyIds !== undefined,
    keyIds: Object.freeze(keyIds),
    confirmed: false,
  });
  if (retired.length < retiredMax) return [entry, ...retired];
  // A compromised one is remembered for longer: it must never come back with an old file.
  const forgotten = retired.findLast((each) => !each.compromised) ?? retired.at(-1);
  return [entry, ...retired.filter((each) => each !== forgotten)];
}
