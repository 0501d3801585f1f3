/**
 * What the operator's own CA files bring, against what is trusted: other intermediates under a root that is known, other
 * roots to trust, or another root to sign under, which is a rotation. Taken whole or not at all.
 */

import { equalBytes, equalLists, equalSets, hasBytes } from "../bytes.ts";
import { rootSha256 } from "../spiffe/roots-digest.ts";
import { formerKeysMax, type AuthorityRecord, type RetiredAuthority } from "./authority.ts";
import {
  allKeysOf,
  certificateKeyId,
  compromisedBy,
  keysOf,
  type CertificateKeyId,
} from "./authority-keys.ts";
import { knownAuthority, outgrown } from "./new-authority.ts";
import { nextTrust, type NextTrust } from "./next-trust.ts";
import type { RotationCommand, RotationRefusal } from "./rotation.ts";
import { activeAuthority, authorityIn, type TrustState } from "./trust-state.ts";

/** As the operator's files have it. */
export interface PluggedAuthority {
  /** As `AuthorityRecord` has it. */
  readonly id: string;
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

/** @throws TrustStateError `trust-state-invariant`; what `keyIdOf` throws */
export function judgePluggedAuthority(
  state: TrustState,
  plugged: PluggedAuthority,
  keyIdOf: CertificateKeyId = certificateKeyId,
): PluggedDecision {
  const retired = retiredOf(state, plugged.root, keyIdOf);
  if (retired !== undefined) return { kind: "stale", retired };
  const signing = state.authorities.find(({ root }) => equalBytes(root, plugged.root));
  if (signing === undefined) return { kind: "prepare", command: preparation(plugged) };
  const otherRoots = otherRootsOf(state, plugged, keyIdOf);
  if (hasChain(signing, plugged)) {
    if (equalSets(state.otherRoots, otherRoots)) return { kind: "unchanged" };
    return taken("roots", nextTrust(state, { otherRoots }, { departure: { kind: "files" } }));
  }
  return withChain(state, signing, { ...plugged, roots: otherRoots }, keyIdOf);
}

/** The next step of a rotation that files began: asked for until it is not refused. */
export function automaticCommand(
  state: TrustState,
): Extract<RotationCommand, { kind: "activate" | "retire" }> | undefined {
  if (authorityIn(state, "prepared")?.auto === true) return { kind: "activate" };
  const isRetiring = authorityIn(state, "retiring") !== undefined;
  return isRetiring && activeAuthority(state).auto ? { kind: "retire" } : undefined;
}

function preparation({ id, chain, root }: PluggedAuthority) {
  const authority = { id, chain, root, key: "external", auto: true } as const;
  return { kind: "prepare", authority } as const;
}

/** Those whose root an old file still names. It brings none of them back: to trust one again is a `prepare`. */
export function retiredIn(
  state: TrustState,
  { roots }: Pick<PluggedAuthority, "roots">,
  keyIdOf: CertificateKeyId = certificateKeyId,
): readonly RetiredAuthority[] {
  const named = new Set(roots.map((root) => retiredOf(state, root, keyIdOf)));
  return state.retired.filter((each) => named.has(each));
}

/** Also by another certificate of a leaked key. */
function retiredOf(
  { retired }: TrustState,
  root: Uint8Array,
  keyIdOf: CertificateKeyId,
): RetiredAuthority | undefined {
  if (retired.length === 0) return undefined;
  const digest = rootSha256(root);
  const same = retired.find((each) => each.rootSha256 === digest);
  return same ?? compromisedBy(retired, [keyIdOf(root)]);
}

function otherRootsOf(
  state: TrustState,
  { roots }: PluggedAuthority,
  keyIdOf: CertificateKeyId,
): readonly Uint8Array[] {
  const signing = state.authorities.map(({ root }) => root);
  return roots.filter(
    (root) => !hasBytes(signing, root) && retiredOf(state, root, keyIdOf) === undefined,
  );
}

function withChain(
  state: TrustState,
  signing: AuthorityRecord,
  plugged: PluggedAuthority,
  keyIdOf: CertificateKeyId,
): PluggedDecision {
  const others = { ...state, authorities: state.authorities.filter((each) => each !== signing) };
  const refusal = knownAuthority(others, plugged, keyIdOf);
  if (refusal !== undefined) return { kind: "refused", refusal };
  // Another certificate of the same key: a copy in the store is good for it, too.
  const { id, chain, roots: otherRoots } = plugged;
  const key = signing.id === id ? signing.key : "external";
  const present = keysOf(plugged, keyIdOf);
  const former = allKeysOf(signing, keyIdOf).filter((each) => !present.includes(each));
  const formerKeyIds = Object.freeze(former.slice(0, formerKeysMax));
  const next = Object.freeze({
    ...signing,
    id,
    chain,
    key,
    formerKeyIds,
  } satisfies AuthorityRecord);
  const authorities = state.authorities.map((each) => (each === signing ? next : each));
  const change = { authorities, otherRoots };
  return taken("chain", nextTrust(state, change, { departure: { kind: "files" } }));
}

function taken(kind: "chain" | "roots", next: NextTrust): PluggedDecision {
  const refusal = outgrown(next.state);
  return refusal === undefined ? { kind, ...next } : { kind: "refused", refusal };
}

function hasChain({ id, chain }: AuthorityRecord, plugged: PluggedAuthority): boolean {
  return id === plugged.id && equalLists(chain, plugged.chain);
}
