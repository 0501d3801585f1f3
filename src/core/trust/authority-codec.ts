/** The stored form of authorities. What reads throws TypeError; the order of members is part of what the log's digest covers. */

import { equalBytes } from "../bytes.ts";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import {
  compromisedKeysMax,
  formerKeysMax,
  type AuthorityRecord,
  type JwtAuthorityRecord,
  type RetiredAuthority,
} from "./authority.ts";
import {
  assertEachOnce,
  base64,
  parseBoolean,
  parseBytes,
  parseKeyId,
  parseList,
  parseOneOf,
  parseText,
  parseTime,
  unexpected,
} from "./stored-values.ts";

export function storedAuthority(authority: AuthorityRecord): JsonObject {
  const { id, state, sinceMs, key, auto, adopted, formerKeyIds, chain, root } = authority;
  const certificates = { chain: chain.map(base64), root: base64(root) };
  // Of others it is not written: their digest in the log is what it was.
  const origin = adopted === true && { adopted };
  return { id, state, sinceMs, key, auto, ...origin, formerKeyIds, ...certificates };
}

export function storedRetired(authority: RetiredAuthority): JsonObject {
  const { id, rootSha256, atMs, compromised, keyIds, confirmed } = authority;
  return { id, rootSha256, atMs, compromised, keyIds, confirmed };
}

export function storedJwtAuthority({ keyId, state, spki }: JwtAuthorityRecord): JsonObject {
  return { keyId, state, spki: base64(spki) };
}

/** An active one, and at most one beside it: of another state, with another root and another key. */
export function parseAuthorities(stored: unknown): readonly AuthorityRecord[] {
  const authorities = parseList(stored, 2).map(parseAuthority);
  const [first, second] = authorities;
  if (authorities.filter(({ state }) => state === "active").length !== 1) {
    throw unexpected("one active authority");
  }
  assertEachOnce(authorities.map(({ id }) => id));
  if (first && second && equalBytes(first.root, second.root)) throw unexpected("two roots");
  return Object.freeze(authorities);
}

function parseAuthority(stored: unknown): AuthorityRecord {
  if (!isJsonObject(stored)) throw unexpected("an authority");
  const { id, state, sinceMs, chain, root, key, auto, adopted, formerKeyIds } = stored;
  if (adopted !== undefined && adopted !== true) throw unexpected("adopted, or no word on it");
  return Object.freeze({
    id: parseKeyId(id),
    state: parseOneOf(state, ["prepared", "active", "retiring"]),
    sinceMs: parseTime(sinceMs),
    chain: Object.freeze(parseList(chain).map(parseBytes)),
    formerKeyIds: parseKeyIds(formerKeyIds, formerKeysMax),
    root: parseBytes(root),
    key: parseOneOf(key, ["store", "external"]),
    auto: parseBoolean(auto),
    ...(adopted === true && { adopted }),
  });
}

export function parseRetired(stored: unknown): RetiredAuthority {
  if (!isJsonObject(stored)) throw unexpected("a retired authority");
  const { id, rootSha256, atMs, compromised, keyIds, confirmed } = stored;
  return Object.freeze({
    id: parseKeyId(id),
    rootSha256: parseText(rootSha256, /^[0-9a-f]{64}$/),
    atMs: parseTime(atMs),
    compromised: parseBoolean(compromised),
    keyIds: parseKeyIds(keyIds, compromisedKeysMax),
    confirmed: parseBoolean(confirmed),
  });
}

function parseKeyIds(stored: unknown, max: number): readonly string[] {
  return Object.freeze(parseList(stored, max).map(parseKeyId));
}

export function parseJwtAuthority(stored: unknown): JwtAuthorityRecord {
  if (!isJsonObject(stored)) throw unexpected("a JWT authority");
  return Object.freeze({
    keyId: parseText(stored["keyId"], /^[\w-]{1,64}$/),
    state: parseOneOf(stored["state"], ["prepared", "active", "retiring", "retired"]),
    spki: parseBytes(stored["spki"]),
  });
}
