/**
 * The trust state: the small durable document that says whom this mesh trusts. Every change is one compare-and-swap on
 * its epoch. Rotation (prepare, activate, retire) will move authorities through their states; here there is one.
 */

import { PortcullisError } from "../error.ts";
import { isJsonObject } from "../identity/json-object.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";

const authorityStates = ["prepared", "active", "retiring", "retired"] as const;

export type AuthorityState = (typeof authorityStates)[number];

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
  const authorities = Object.freeze([authority]);
  return Object.freeze({ epoch: 1, trustDomain, bundleSequence: 1n, authorities });
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

/** @throws TrustStateError `trust-state-malformed`: nothing in it is guessed or repaired */
export function parseTrustState(epoch: number, document: string): TrustState {
  try {
    const stored: unknown = JSON.parse(document);
    if (!isJsonObject(stored) || stored["version"] !== 1) throw unexpected("a document, version 1");
    const { trustDomain, bundleSequence, authorities } = stored;
    return Object.freeze({
      epoch,
      trustDomain: TrustDomain.parse(parseText(trustDomain, /^./)),
      bundleSequence: BigInt(parseText(bundleSequence, /^[1-9]\d{0,18}$/)),
      authorities: parseAuthorities(authorities),
    });
  } catch (cause) {
    throw new TrustStateError("trust-state-malformed", "the stored trust state is unreadable", {
      cause,
      hint: "restore the data directory from a backup; a new root would break every workload",
    });
  }
}

function parseAuthorities(stored: unknown): readonly AuthorityRecord[] {
  const authorities = parseList(stored).map(parseAuthority);
  const actives = authorities.filter(({ state }) => state === "active");
  if (actives.length > 1) throw unexpected("one active authority at most");
  if (new Set(authorities.map(({ id }) => id)).size !== authorities.length) {
    throw unexpected("each authority once");
  }
  return Object.freeze(authorities);
}

function parseAuthority(stored: unknown): AuthorityRecord {
  if (!isJsonObject(stored)) throw unexpected("an authority");
  const { id, state, chain, root } = stored;
  const known = authorityStates.find((each) => each === state);
  if (known === undefined) throw unexpected(`one of ${authorityStates.join(", ")}`);
  return Object.freeze({
    id: parseText(id, /^[0-9a-f]{2,64}$/),
    state: known,
    chain: parseList(chain).map(parseDer),
    root: parseDer(root),
  });
}

function parseList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected("a list");
  return value;
}

function parseText(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value))
    throw unexpected(`text like ${pattern.source}`);
  return value;
}

/** Buffer.from skips what is no base64: only what is written the same way again was read whole. */
function parseDer(value: unknown): Uint8Array {
  const text = parseText(value, /^./);
  const der = new Uint8Array(Buffer.from(text, "base64"));
  if (base64(der) !== text) throw unexpected("base64");
  return der;
}

function unexpected(expected: string): TypeError {
  return new TypeError(`expected ${expected}`);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
