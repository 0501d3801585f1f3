/** The stored form of a trust state: JSON, written whole at each change, read strictly. */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { retiredMax } from "./authority.ts";
import {
  parseAuthorities,
  parseJwtAuthority,
  parseRetired,
  storedAuthority,
  storedJwtAuthority,
  storedRetired,
} from "./authority-codec.ts";
import {
  base64,
  parseBytes,
  parseDigest,
  parseList,
  parseText,
  unexpected,
} from "./stored-values.ts";
import { upgradeStored } from "./trust-state-upgrade.ts";
import { TrustStateError, type TrustState } from "./trust-state.ts";

/** It is written whole at each change, and it is the same size in each mesh. */
export const documentLengthMax = 16_384;

/**
 * The stored form, without the epoch: that is the store's own column.
 * @throws TrustStateError `trust-state-too-large`
 */
export function encodeTrustState(state: TrustState): string {
  const document = documentOf(state);
  if (document.length <= documentLengthMax) return document;
  throw new TrustStateError(
    "trust-state-too-large",
    `expected at most ${documentLengthMax} characters of trust state, got ${document.length}`,
    { hint: "fewer roots and intermediates, or smaller ones: an RSA-4096 certificate takes 2,000" },
  );
}

/** In characters, all of which are ASCII. */
export function documentLengthOf(state: TrustState): number {
  return documentOf(state).length;
}

function documentOf(state: TrustState): string {
  return JSON.stringify({
    version: 4,
    trustDomain: state.trustDomain.name,
    bundleSequence: state.bundleSequence.toString(),
    rootsSequence: state.rootsSequence.toString(),
    authorities: state.authorities.map(storedAuthority),
    retired: state.retired.map(storedRetired),
    jwtAuthorities: state.jwtAuthorities.map(storedJwtAuthority),
    otherRoots: state.otherRoots.map(base64),
    denyDigest: base64(state.denyDigest),
  });
}

/** @throws TrustStateError `trust-state-malformed`: nothing in it is guessed or repaired */
export function parseTrustState(epoch: number, document: string): TrustState {
  try {
    const stored: unknown = JSON.parse(document);
    if (!isJsonObject(stored)) throw unexpected("a document");
    const { version, trustDomain, ...rest } = upgradeStored(stored);
    if (version !== 4) throw unexpected("a document, version 1 to 4");
    return Object.freeze({
      epoch,
      trustDomain: TrustDomain.parse(parseText(trustDomain, /^./)),
      ...parseSequences(rest),
      authorities: parseAuthorities(rest["authorities"]),
      retired: Object.freeze(parseList(rest["retired"], retiredMax).map(parseRetired)),
      jwtAuthorities: Object.freeze(parseList(rest["jwtAuthorities"]).map(parseJwtAuthority)),
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

function parseSequences(stored: JsonObject): Pick<TrustState, "bundleSequence" | "rootsSequence"> {
  const bundleSequence = parseSequence(stored["bundleSequence"]);
  const rootsSequence = parseSequence(stored["rootsSequence"]);
  if (rootsSequence > bundleSequence) throw unexpected("roots of the present bundle");
  return { bundleSequence, rootsSequence };
}

function parseSequence(value: unknown): bigint {
  return BigInt(parseText(value, /^[1-9]\d{0,18}$/));
}
