/** The stored form of authorities. What reads throws TypeError; the order of members is part of what the log's digest covers. */

import { equalBytes } from "../bytes.ts";
import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import {
  retiredSignerIdsMax,
  signerIdsMax,
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
  parseKeyIds,
  parseList,
  parseOneOf,
  parseText,
  parseTime,
  unexpected,
} from "./stored-values.ts";

export function storedAuthority(authority: AuthorityRecord): JsonObject {
  const { id, state, sinceMs, key, signerIds, auto, chain, root } = authority;
  const certificates = { chain: chain.map(base64), root: base64(root) };
  return { id, state, sinceMs, key, signerIds, auto, ...certificates };
}

export function storedRetired(authority: RetiredAuthority): JsonObject {
  const { id, rootSha256, atMs, compromised, signerIds, confirmed } = authority;
  return { id, rootSha256, atMs, compromised, signerIds, confirmed };
}

export function storedJwtAuthority({ keyId, state, spki }: JwtAuthorityRecord): JsonObject {
  return { keyId, state, spki: base64(spki) };
}

/** An active one, and at most one beside it: of another state, with another root and other keys. */
export function parseAuthorities(stored: unknown): readonly AuthorityRecord[] {
  const authorities = parseList(stored, 2).map(parseAuthority);
  const [first, second] = authorities;
  if (authorities.filter(({ state }) => state === "active").length !== 1) {
    throw unexpected("one active authority");
  }
  assertEachOnce(authorities.map(({ id }) => id));
  assertEachOnce(authorities.flatMap(({ signerIds }) => signerIds));
  if (first && second && equalBytes(first.root, second.root)) throw unexpected("two roots");
  return Object.freeze(authorities);
}

function parseAuthority(stored: unknown): AuthorityRecord {
  if (!isJsonObject(stored)) throw unexpected("an authority");
  const { id, state, sinceMs, chain, root, key, signerIds, auto } = stored;
  return Object.freeze({
    id: parseKeyId(id),
    state: parseOneOf(state, ["prepared", "active", "retiring"]),
    sinceMs: parseTime(sinceMs),
    chain: Object.freeze(parseList(chain).map(parseBytes)),
    root: parseBytes(root),
    key: parseOneOf(key, ["store", "external"]),
    signerIds: parseKeyIds(signerIds, signerIdsMax),
    auto: parseBoolean(auto),
  });
}

export function parseRetired(stored: unknown): RetiredAuthority {
  if (!isJsonObject(stored)) throw unexpected("a retired authority");
  const { id, rootSha256, atMs, compromised, signerIds, confirmed } = stored;
  return Object.freeze({
    id: parseKeyId(id),
    rootSha256: parseText(rootSha256, /^[0-9a-f]{64}$/),
    atMs: parseTime(atMs),
    compromised: parseBoolean(compromised),
    signerIds: parseKeyIds(signerIds, retiredSignerIdsMax),
    confirmed: parseBoolean(confirmed),
  });
}

export function parseJwtAuthority(stored: unknown): JwtAuthorityRecord {
  if (!isJsonObject(stored)) throw unexpected("a JWT authority");
  return Object.freeze({
    keyId: parseText(stored["keyId"], /^[\w-]{1,64}$/),
    state: parseOneOf(stored["state"], ["prepared", "active", "retiring", "retired"]),
    spki: parseBytes(stored["spki"]),
  });
}
