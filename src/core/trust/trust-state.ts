/**
 * The trust state: the small durable document that says whom this mesh trusts. Every change is one compare-and-swap on
 * its epoch. One X.509 authority and one of JWTs are active; rotation (prepare, activate, retire) will move them.
 */

import { DenyList } from "../deny/deny-list.ts";
import { PortcullisError } from "../error.ts";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
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
  /** "external": in the operator's files or in an HSM, and read anew at each start. */
  readonly key: "store" | "external";
}

/** Signs JWT-SVIDs. It has no certificate: whoever verifies has its key from the bundle. */
export interface JwtAuthorityRecord {
  /** The `kid` of what it signs; names the signing key in the store. */
  readonly keyId: string;
  readonly state: AuthorityState;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

export interface TrustState {
  /** Rises with each durable change. */
  readonly epoch: number;
  readonly trustDomain: TrustDomain;
  /** Rises whenever the bundle's contents change. */
  readonly bundleSequence: bigint;
  readonly authorities: readonly AuthorityRecord[];
  readonly jwtAuthorities: readonly JwtAuthorityRecord[];
  /** Trusted, and nothing here signs under them: the others of an operator's `root-cert.pem`. */
  readonly otherRoots: readonly Uint8Array[];
  /** Of the deny list, which lies beside it: neither can be changed, or lost, without the other. */
  readonly denyDigest: Uint8Array;
}

export type TrustStateErrorCode =
  | "trust-state-malformed"
  | "trust-state-no-active-authority"
  | "trust-state-too-large";

export class TrustStateError extends PortcullisError<TrustStateErrorCode> {
  override name = "TrustStateError";
}

export interface FirstTrust {
  readonly trustDomain: TrustDomain;
  readonly authority: AuthorityRecord;
  readonly jwtAuthority?: JwtAuthorityRecord;
  readonly otherRoots?: readonly Uint8Array[];
}

export function initialTrustState(first: FirstTrust): TrustState {
  const { trustDomain, authority, jwtAuthority, otherRoots = [] } = first;
  return Object.freeze({
    epoch: 1,
    trustDomain,
    bundleSequence: 1n,
    authorities: Object.freeze([authority]),
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

/** The active authority gives way to another one under the same root: the bundle is what it was. */
export function withActiveAuthority(state: TrustState, authority: AuthorityRecord): TrustState {
  const others = state.authorities.filter((each) => each.state !== "active");
  return Object.freeze({
    ...state,
    epoch: state.epoch + 1,
    authorities: Object.freeze([...others, authority]),
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
  const active = state.authorities.find((authority) => authority.state === "active");
  if (active !== undefined) return active;
  throw new TrustStateError("trust-state-no-active-authority", "no authority is active");
}

/** Every root and key that a live SVID may hang on, or soon will. */
export function bundleOf(state: TrustState): TrustBundle {
  const trusted = state.authorities.filter((authority) => authority.state !== "retired");
  const roots = [...trusted.map((authority) => authority.root), ...state.otherRoots];
  const jwtKeys = state.jwtAuthorities.filter((authority) => authority.state !== "retired");
  return trustBundle(state.trustDomain, state.bundleSequence, roots, jwtKeys);
}

/** It is written whole at each change, and it is the same size in each mesh. */
const documentLengthMax = 16_384;

/**
 * The stored form, without the epoch: that is the store's own column.
 * @throws TrustStateError `trust-state-too-large`
 */
export function encodeTrustState(state: TrustState): string {
  const document = JSON.stringify({
    version: 3,
    trustDomain: state.trustDomain.name,
    bundleSequence: state.bundleSequence.toString(),
    authorities: state.authorities.map(({ id, state, chain, root, key }) => ({
      id,
      state,
      key,
      chain: chain.map(base64),
      root: base64(root),
    })),
    jwtAuthorities: state.jwtAuthorities.map(({ keyId, state, spki }) => ({
      keyId,
      state,
      spki: base64(spki),
    })),
    otherRoots: state.otherRoots.map(base64),
    denyDigest: base64(state.denyDigest),
  });
  if (document.length <= documentLengthMax) return document;
  throw new TrustStateError(
    "trust-state-too-large",
    `expected at most ${documentLengthMax} characters of trust state, got ${document.length}`,
    { hint: "fewer roots and intermediates, or smaller ones: an RSA-4096 certificate takes 2,000" },
  );
}

/** @throws TrustStateError `trust-state-malformed`: nothing in it is guessed or repaired */
export function parseTrustState(epoch: number, document: string): TrustState {
  try {
    const stored: unknown = JSON.parse(document);
    if (!isJsonObject(stored)) throw unexpected("a document");
    const { version, trustDomain, bundleSequence, authorities, jwtAuthorities, ...rest } =
      upgradeFromTwo(upgradeFromOne(stored));
    if (version !== 3) throw unexpected("a document, version 1 to 3");
    return Object.freeze({
      epoch,
      trustDomain: TrustDomain.parse(parseText(trustDomain, /^./)),
      bundleSequence: BigInt(parseText(bundleSequence, /^[1-9]\d{0,18}$/)),
      authorities: parseAuthorities(authorities),
      jwtAuthorities: parseJwtAuthorities(jwtAuthorities),
      otherRoots: Object.freeze(parseList(rest["otherRoots"]).map(parseBytes)),
      denyDigest: parseDigest(rest["denyDigest"]),
    });
  } catch (cause) {
    throw new TrustStateError("trust-state-malformed", "the stored trust state is unreadable", {
      cause,
      hint: "restore the data directory from a backup; a new root would break every workload",
    });
  }
}

/** Version 1 had neither JWT authorities nor an operator's own roots and keys. */
function upgradeFromOne(stored: JsonObject): JsonObject {
  if (stored["version"] !== 1) return stored;
  const authorities = parseList(stored["authorities"]).map((authority) =>
    isJsonObject(authority) ? { ...authority, key: "store" } : authority,
  );
  return { ...stored, version: 2, authorities, jwtAuthorities: [], otherRoots: [] };
}

/** Version 2 knew no deny list: nobody was denied. */
function upgradeFromTwo(stored: JsonObject): JsonObject {
  if (stored["version"] !== 2) return stored;
  return { ...stored, version: 3, denyDigest: base64(DenyList.empty.digest()) };
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
  const { id, state, chain, root, key } = stored;
  if (key !== "store" && key !== "external") throw unexpected("a key in the store or external");
  return Object.freeze({
    id: parseText(id, /^[0-9a-f]{2,64}$/),
    state: parseAuthorityState(state),
    key,
    chain: parseList(chain).map(parseBytes),
    root: parseBytes(root),
  });
}

function parseJwtAuthorities(stored: unknown): readonly JwtAuthorityRecord[] {
  const authorities = parseList(stored).map((each) => {
    if (!isJsonObject(each)) throw unexpected("a JWT authority");
    return Object.freeze({
      keyId: parseText(each["keyId"], /^[\w-]{1,64}$/),
      state: parseAuthorityState(each["state"]),
      spki: parseBytes(each["spki"]),
    });
  });
  return Object.freeze(authorities);
}

function parseAuthorityState(stored: unknown): AuthorityState {
  const known = authorityStates.find((each) => each === stored);
  if (known === undefined) throw unexpected(`one of ${authorityStates.join(", ")}`);
  return known;
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
function parseBytes(value: unknown): Uint8Array {
  const text = parseText(value, /^./);
  const der = new Uint8Array(Buffer.from(text, "base64"));
  if (base64(der) !== text) throw unexpected("base64");
  return der;
}

function parseDigest(value: unknown): Uint8Array {
  const digest = parseBytes(value);
  if (digest.length !== 32) throw unexpected("a digest of 32 octets");
  return digest;
}

function unexpected(expected: string): TypeError {
  return new TypeError(`expected ${expected}`);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
