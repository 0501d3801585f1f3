/**
 * What the operator's own CA files bring, against what is trusted: other intermediates under a root that is known, other
 * roots to trust, or another root to sign under, which is a rotation. Taken whole or not at all.
 */

import { equalBytes, hasBytes } from "../bytes.ts";
import { signerIdsMax, type AuthorityRecord, type RetiredAuthority } from "./authority.ts";
import { knownAuthority, outgrown } from "./new-authority.ts";
import { nextTrust, rootSha256, type NextTrust } from "./next-trust.ts";
import type { RotationCommand, RotationRefusal } from "./rotation.ts";
import { activeAuthority, authorityIn, type TrustState } from "./trust-state.ts";

/** As the operator's files have it. */
export interface PluggedAuthority {
  /** Lower-case hex of the subject key identifier. */
  readonly id: string;
  /** Lower-case hex of the key's own identifier, whatever the certificate has: what the log knows it by. */
  readonly signerId: string;
  /** The signing certificate first, then its intermediates; DER. Empty for a root that signs itself. */
  readonly chain: readonly Uint8Array[];
  /** On which the chain hangs. */
  readonly root: Uint8Array;
  /** All that are to be trusted, that one among them. */
  readonly roots: readonly Uint8Array[];
}

export type PluggedDecision =
  | { readonly kind: "unchanged" }
  /** Other intermediates under a root that is known, and perhaps other roots besides. */
  | ({ readonly kind: "chain" } & NextTrust)
  /** Others to be trusted. */
  | ({ readonly kind: "roots" } & NextTrust)
  /** For `decideRotation`, which may refuse it; then the files again, for the rest of their roots. */
  | { readonly kind: "prepare"; readonly command: Extract<RotationCommand, { kind: "prepare" }> }
  /** The files have not followed a rotation: nothing changes, and somebody should be told. */
  | { readonly kind: "stale"; readonly retired: RetiredAuthority }
  | { readonly kind: "refused"; readonly refusal: RotationRefusal };

/** @throws TrustStateError `trust-state-invariant` */
export function judgePluggedAuthority(
  state: TrustState,
  plugged: PluggedAuthority,
): PluggedDecision {
  const digest = rootSha256(plugged.root);
  const retired = state.retired.find((each) => each.rootSha256 === digest);
  if (retired !== undefined) return { kind: "stale", retired };
  const signing = state.authorities.find(({ root }) => equalBytes(root, plugged.root));
  if (signing === undefined) return { kind: "prepare", command: preparation(plugged) };
  const otherRoots = otherRootsOf(state, plugged);
  if (hasChain(signing, plugged)) {
    if (haveSame(state.otherRoots, otherRoots)) return { kind: "unchanged" };
    return taken("roots", nextTrust(state, { otherRoots }, { departure: { kind: "files" } }));
  }
  return withChain(state, signing, plugged, otherRoots);
}

/** The next step of a rotation that files began: asked for until it is not refused. */
export function automaticCommand(
  state: TrustState,
): Extract<RotationCommand, { kind: "activate" | "retire" }> | undefined {
  if (authorityIn(state, "prepared")?.auto === true) return { kind: "activate" };
  const isRetiring = authorityIn(state, "retiring") !== undefined;
  return isRetiring && activeAuthority(state).auto ? { kind: "retire" } : undefined;
}

function preparation({ id, signerId, chain, root }: PluggedAuthority) {
  const names = { id, chain, root, signerIds: [signerId] };
  return { kind: "prepare", authority: { ...names, key: "external", auto: true } } as const;
}

/** Those that an old file still names. It brings none of them back: to trust one again is a `prepare`. */
export function retiredIn(
  { retired }: TrustState,
  { roots }: Pick<PluggedAuthority, "roots">,
): readonly RetiredAuthority[] {
  const named = new Set(roots.map(rootSha256));
  return retired.filter((each) => named.has(each.rootSha256));
}

function otherRootsOf(state: TrustState, { roots }: PluggedAuthority): readonly Uint8Array[] {
  const signing = state.authorities.map(({ root }) => root);
  const retired = new Set(state.retired.map((each) => each.rootSha256));
  return roots.filter((root) => !hasBytes(signing, root) && !retired.has(rootSha256(root)));
}

function withChain(
  state: TrustState,
  signing: AuthorityRecord,
  { id, signerId, chain }: PluggedAuthority,
  otherRoots: readonly Uint8Array[],
): PluggedDecision {
  const others = { ...state, authorities: state.authorities.filter((each) => each !== signing) };
  const refusal = knownAuthority(others, { id, root: signing.root, signerIds: [signerId] });
  if (refusal !== undefined) return { kind: "refused", refusal };
  const signerIds = [...new Set([signerId, ...signing.signerIds])].slice(0, signerIdsMax);
  // An operator's certificate may have any identifier: the key's own tells whether it is another one.
  const isSameKey = signing.id === id && signing.signerIds[0] === signerId;
  const key = isSameKey ? signing.key : "external";
  const next = Object.freeze({ ...signing, id, chain, key, signerIds } satisfies AuthorityRecord);
  const authorities = state.authorities.map((each) => (each === signing ? next : each));
  const change = { authorities, otherRoots };
  return taken("chain", nextTrust(state, change, { departure: { kind: "files" } }));
}

function taken(kind: "chain" | "roots", next: NextTrust): PluggedDecision {
  const refusal = outgrown(next.state);
  return refusal === undefined ? { kind, ...next } : { kind: "refused", refusal };
}

function hasChain({ id, chain }: AuthorityRecord, plugged: PluggedAuthority): boolean {
  return (
    id === plugged.id &&
    chain.length === plugged.chain.length &&
    chain.every((der, index) => equalBytes(der, plugged.chain[index] ?? new Uint8Array()))
  );
}

/** Their order means nothing. */
function haveSame(before: readonly Uint8Array[], after: readonly Uint8Array[]): boolean {
  return before.length === after.length && before.every((root) => hasBytes(after, root));
}
