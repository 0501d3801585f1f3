/**
 * The trust state: the small durable document that says whom this mesh trusts. Every change is one compare-and-swap on
 * its epoch. One X.509 authority and one of JWTs are active; `rotation-machine.ts` moves the X.509 ones.
 */

import { DenyList } from "../deny/deny-list.ts";
import { PortcullisError } from "../error.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";
import {
  inState,
  type AuthorityRecord,
  type AuthorityState,
  type JwtAuthorityRecord,
  type NewAuthority,
  type RetiredAuthority,
} from "./authority.ts";

export type {
  AuthorityRecord,
  JwtAuthorityRecord,
  NewAuthority,
  RetiredAuthority,
} from "./authority.ts";

export interface TrustState {
  /** Rises with each durable change. */
  readonly epoch: number;
  readonly trustDomain: TrustDomain;
  /** Rises whenever the bundle's contents change. */
  readonly bundleSequence: bigint;
  /** The bundle's sequence when its set of roots was last another one: what is older proves nothing of the present set. */
  readonly rootsSequence: bigint;
  /** One active one alone, or with one that is prepared or retiring. */
  readonly authorities: readonly AuthorityRecord[];
  /** Newest first; `retiredMax` at most. */
  readonly retired: readonly RetiredAuthority[];
  readonly jwtAuthorities: readonly JwtAuthorityRecord[];
  /** Trusted, and nothing here signs under them: the others of an operator's `root-cert.pem`. */
  readonly otherRoots: readonly Uint8Array[];
  /** Of the deny list, which lies beside it: neither can be changed, or lost, without the other. */
  readonly denyDigest: Uint8Array;
}

export type TrustStateErrorCode =
  | "trust-state-malformed"
  /** A fault of this program: nothing has been changed. */
  | "trust-state-invariant"
  | "trust-state-too-large";

export class TrustStateError extends PortcullisError<TrustStateErrorCode> {
  override name = "TrustStateError";
}

export interface FirstTrust {
  readonly trustDomain: TrustDomain;
  readonly authority: NewAuthority;
  readonly jwtAuthority?: JwtAuthorityRecord;
  readonly otherRoots?: readonly Uint8Array[];
  readonly nowMs: number;
}

export function initialTrustState(first: FirstTrust): TrustState {
  const { trustDomain, authority, jwtAuthority, otherRoots = [], nowMs } = first;
  const active = inState(authority, "active", nowMs);
  return Object.freeze({
    epoch: 1,
    trustDomain,
    bundleSequence: 1n,
    rootsSequence: 1n,
    authorities: Object.freeze([active]),
    retired: Object.freeze([]),
    jwtAuthorities: Object.freeze(jwtAuthority === undefined ? [] : [jwtAuthority]),
    otherRoots: Object.freeze([...otherRoots]),
    denyDigest: DenyList.empty.digest(),
  });
}

/** A key more that JWT-SVIDs are signed with: the bundle has changed. */
export function withJwtAuthority(state: TrustState, authority: JwtAuthorityRecord): TrustState {
  return Object.freeze({
    ...state,
    epoch: state.epoch + 1,
    bundleSequence: state.bundleSequence + 1n,
    jwtAuthorities: Object.freeze([...state.jwtAuthorities, authority]),
  });
}

/** More changes than a mesh makes between a backup and the loss of what came after it. */
const sequencesLostMax = 1_000_000n;

/** From a backup: agents may hold bundles of higher sequences, and take none that is below theirs. */
export function restoredTrust(state: TrustState): TrustState {
  const bundleSequence = state.bundleSequence + sequencesLostMax;
  return Object.freeze({
    ...state,
    epoch: state.epoch + 1,
    bundleSequence,
    rootsSequence: bundleSequence,
  });
}

/** Another deny list: nobody trusts anything else, so the bundle is what it was. */
export function withDenyList(state: TrustState, list: DenyList): TrustState {
  return Object.freeze({ ...state, epoch: state.epoch + 1, denyDigest: list.digest() });
}

/** Undefined in a trust state of a version that made no JWT-SVIDs. */
export function activeJwtAuthority(state: TrustState): JwtAuthorityRecord | undefined {
  return state.jwtAuthorities.find((authority) => authority.state === "active");
}

export function activeAuthority(state: TrustState): AuthorityRecord {
  const active = authorityIn(state, "active");
  if (active !== undefined) return active;
  throw new TrustStateError("trust-state-invariant", "expected an active authority, got none");
}

/** There is one of each state at most. */
export function authorityIn(
  { authorities }: TrustState,
  wanted: AuthorityState,
): AuthorityRecord | undefined {
  return authorities.find(({ state }) => state === wanted);
}

/** Somebody may trust them still. */
export function unconfirmedRetired({ retired }: TrustState): readonly RetiredAuthority[] {
  return retired.filter(({ confirmed }) => !confirmed);
}

/** Until everybody holds a bundle without what was retired: somebody may have a certificate of another authority. */
export function isRotating(state: TrustState): boolean {
  return state.authorities.length > 1 || unconfirmedRetired(state).length > 0;
}

/** Nothing is left of a rotation but everybody's confirmation of its end. */
export function awaitsConfirmation(state: TrustState): boolean {
  return state.authorities.length === 1 && unconfirmedRetired(state).length > 0;
}

/** Every root and key that a live SVID may hang on, or soon will. */
export function bundleOf(state: TrustState): TrustBundle {
  const roots = [...state.authorities.map(({ root }) => root), ...state.otherRoots];
  const jwtKeys = state.jwtAuthorities.filter((authority) => authority.state !== "retired");
  return trustBundle(state.trustDomain, state.bundleSequence, roots, jwtKeys);
}
