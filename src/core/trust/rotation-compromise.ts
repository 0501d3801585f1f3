/**
 * The step of a rotation that asks nobody: a key has leaked, and all that is trusted and has it is distrusted at once. That may
 * be more than one root, and both authorities.
 */

import { hasBytes } from "../bytes.ts";
import { endsTooSoon } from "./authority-end.ts";
import { allKeysOf, type CertificateKeyId } from "./authority-keys.ts";
import { inState } from "./authority.ts";
import { knownAuthority, outgrown } from "./new-authority.ts";
import { nextTrust, withRetired, type NextTrust } from "./next-trust.ts";
import { authorityUnknown, replacementNeeded, type Unfit } from "./rotation-refusals.ts";
import type { RotationCommand, RotationEvidence, RotationRefusal } from "./rotation.ts";
import { bundleOf, type AuthorityRecord, type TrustState } from "./trust-state.ts";

type Compromise = Extract<RotationCommand, { kind: "compromise" }>;

/** Whatever it breaks: everything that hangs on it is renewed. */
export function compromise(
  state: TrustState,
  { authorityId, replacement, keylessId }: Compromise,
  evidence: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  const leaked = state.authorities.find(({ id }) => id === authorityId);
  if (leaked === undefined) return authorityUnknown(state, authorityId);
  const leak = leakOf(state, leaked, evidence.keyIdOf, nowMs);
  if (leak.left.some((each) => each.state === "active")) return without(state, leak, leak.left);
  const other = state.authorities.find((each) => each !== leaked);
  const unfit = other && unfitOf(other, leak, keylessId, evidence, nowMs);
  if (other !== undefined && unfit === undefined) {
    return without(state, leak, [inState(other, "active", nowMs)]);
  }
  if (replacement === undefined) {
    return replacementNeeded(leaked, other && unfit && { authority: other, unfit });
  }
  const remaining = { authorities: leak.left, retired: leak.retired };
  const known = knownAuthority(remaining, replacement, evidence.keyIdOf);
  if (known !== undefined) return known;
  const next = without(state, leak, [inState(replacement, "active", nowMs), ...leak.left]);
  return outgrown(next.state) ?? next;
}

/** What has a key of the leaked authority, and what has not. */
interface Leak {
  readonly roots: readonly Uint8Array[];
  readonly retired: TrustState["retired"];
  /** Authorities that are still trusted. */
  readonly left: readonly AuthorityRecord[];
}

function leakOf(
  state: TrustState,
  leaked: AuthorityRecord,
  keyIdOf: CertificateKeyId,
  nowMs: number,
): Leak {
  const keys = new Set(allKeysOf(leaked, keyIdOf));
  const isOf = (each: AuthorityRecord): boolean =>
    allKeysOf(each, keyIdOf).some((key) => keys.has(key));
  const gone = state.authorities.filter(isOf);
  const goneKeys = new Set(gone.flatMap((each) => allKeysOf(each, keyIdOf)));
  return {
    roots: bundleOf(state).roots.filter((root) => goneKeys.has(keyIdOf(root))),
    retired: gone.reduce(
      (retired, each) => withRetired(retired, each, nowMs, allKeysOf(each, keyIdOf)),
      state.retired,
    ),
    left: state.authorities.filter((each) => !gone.includes(each)),
  };
}

/** @returns undefined where it can take the place of the leaked one */
function unfitOf(
  other: AuthorityRecord,
  { left }: Leak,
  keylessId: Compromise["keylessId"],
  evidence: RotationEvidence,
  nowMs: number,
): Unfit | undefined {
  if (!left.includes(other)) return "has a key of it";
  if (other.id === keylessId) return "has no key here";
  const isEnding = endsTooSoon(other, evidence, evidence.lifeMs.usual, nowMs) !== undefined;
  return isEnding ? { endsAtMs: evidence.endsAtMs(other) } : undefined;
}

function without(
  state: TrustState,
  { roots, retired }: Leak,
  authorities: readonly AuthorityRecord[],
): NextTrust {
  const otherRoots = state.otherRoots.filter((root) => !hasBytes(roots, root));
  const departure = { kind: "compromise", roots } as const;
  const change = { authorities, retired, otherRoots };
  return nextTrust(state, change, { departure, isReissued: true });
}
