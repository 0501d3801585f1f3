/**
 * The trust state: the small durable document that says whom this mesh trusts. Every change is one compare-and-swap on
 * its epoch. Rotation (prepare, activate, retire) will move authorities through their states; here there is one.
 */

import { PortcullisError } from "../error.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";

export type AuthorityState = "prepared" | "active" | "retiring" | "retired";

export interface AuthorityRecord {
  /** Lower-case hex of the subject key identifier; names the signing key in the store. */
  readonly id: string;
  readonly state: AuthorityState;
  /** The signing certificate, then its intermediates up to but without the root; DER. */
  readonly chain: readonly Uint8Array[];
  readonly root: Uint8Array;
}

export interface TrustState {
  /** Rises with each durable change. */
  readonly epoch: number;
  readonly trustDomain: TrustDomain;
  /** Rises whenever the bundle's contents change. */
  readonly bundleSequence: bigint;
  readonly authorities: readonly AuthorityRecord[];
}

export type TrustStateErrorCode = "trust-state-malformed" | "trust-state-no-active-authority";

export class TrustStateError extends PortcullisError<TrustStateErrorCode> {
  override name = "TrustStateError";
}

export function initialTrustState(
  trustDomain: TrustDomain,
  authority: AuthorityRecord,
): TrustState {
  return Object.freeze({ epoch: 1, trustDomain, bundleSequence: 1n, authorities: [authority] });
}

export function activeAuthority(state: TrustState): AuthorityRecord {
  const active = state.authorities.find((authority) => authority.state === "active");
  if (active !== undefined) return active;
  throw new TrustStateError("trust-state-no-active-authority", "no authority is active");
}

/** Every root that a live certificate may hang on, or soon will. */
export function bundleOf(state: TrustState): TrustBundle {
  const trusted = state.authorities.filter((authority) => authority.state !== "retired");
  const roots = trusted.map((authority) => authority.root);
  return trustBundle(state.trustDomain, state.bundleSequence, roots);
}

/** The stored form, without the epoch: that is the store's own column. */
export function encodeTrustState(state: TrustState): string {
  const authorities = state.authorities.map(({ id, state, chain, root }) => ({
    id,
    state,
    chain: chain.map(base64),
    root: base64(root),
  }));
  return JSON.stringify({
    version: 1,
    trustDomain: state.trustDomain.name,
    bundleSequence: state.bundleSequence.toString(),
    authorities,
  });
}

export function parseTrustState(epoch: number, document: string): TrustState {
  try {
    const value = JSON.parse(document) as StoredTrustState;
    if (value.version !== 1) throw new TypeError(`expected version 1, got ${value.version}`);
    return Object.freeze({
      epoch,
      trustDomain: TrustDomain.parse(value.trustDomain),
      bundleSequence: BigInt(value.bundleSequence),
      authorities: value.authorities.map(({ id, state, chain, root }) => ({
        id,
        state,
        chain: chain.map(fromBase64),
        root: fromBase64(root),
      })),
    });
  } catch (cause) {
    throw new TrustStateError("trust-state-malformed", "the stored trust state is unreadable", {
      cause,
      hint: "restore the data directory from a backup; a new root would break every workload",
    });
  }
}

interface StoredTrustState {
  readonly version: number;
  readonly trustDomain: string;
  readonly bundleSequence: string;
  readonly authorities: readonly {
    readonly id: string;
    readonly state: AuthorityState;
    readonly chain: readonly string[];
    readonly root: string;
  }[];
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
