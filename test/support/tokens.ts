/**
 * Service-account tokens for tests: keys, claims as Kubernetes writes them, and a signer that signs
 * whatever it is given, right or wrong.
 */

import type { KeyObject } from "node:crypto";
import { generateKeyPairSync, sign } from "node:crypto";
import { findJwsAlgorithm, JWS_ALGORITHMS } from "../../src/edge/authn/jws-algorithm.ts";
import { KeySet } from "../../src/edge/authn/key-set.ts";
import type { KeySource } from "../../src/edge/authn/token-authenticator.ts";

export interface TokenKey {
  readonly keyId: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As the API server publishes it. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** @param algorithm as in a JWS header */
export function makeTokenKey(algorithm: string, keyId: string): TokenKey {
  return tokenKey(algorithm, keyId, generateKey(algorithm));
}

/** One key for each algorithm, named like it. Those of RSA differ in nothing but the name. */
export function makeTokenKeys(): readonly TokenKey[] {
  const rsa = generateKey("RS256");
  return JWS_ALGORITHMS.map(({ name, keyType }) =>
    tokenKey(name, name, keyType === "RSA" ? rsa : generateKey(name)),
  );
}

export function jwksDocument(...keys: readonly TokenKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/** Keys that never change. */
export function fixedKeys(document: string): KeySource {
  return { keySet: KeySet.parse(document), isCurrent: true, refresh: async () => false };
}

export const TEST_ISSUER = "https://kubernetes.default.svc.cluster.local";

/** 2026-11-24T12:00:00Z: when the tokens of `kubernetesClaims` were minted. */
export const TEST_NOW_MS = 1_795_521_600_000;

/** What the API server puts into the token of a pod, good for an hour. */
export function kubernetesClaims(
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const nowSeconds = TEST_NOW_MS / 1000;
  return {
    aud: ["istio-ca"],
    exp: nowSeconds + 3600,
    iat: nowSeconds,
    iss: TEST_ISSUER,
    jti: "0f0c7d0e-7bb5-4d0f-8a5a-3f5f0b6f2a11",
    "kubernetes.io": {
      namespace: "shop",
      node: { name: "node-1", uid: "6c6f4b52-8a5c-4a51-9d59-0f6ad1f1f0a1" },
      pod: { name: "cart-6f9c7-x2x4z", uid: "d2a3a8c2-57b3-4f5f-9a31-4d1b8a3f7a52" },
      serviceaccount: { name: "cart", uid: "9b2f6a3e-1111-4c8e-8a48-5a3b3f0b7c9d" },
    },
    nbf: nowSeconds,
    sub: "system:serviceaccount:shop:cart",
    ...changes,
  };
}

interface TokenParts {
  /** @default the header that Kubernetes writes */
  readonly header?: unknown;
  /** A string is taken as it is, anything else is written as JSON. */
  readonly payload?: unknown;
}

/** Signs with the key's own algorithm, whatever the header says. */
export function signToken(key: TokenKey, { header, payload }: TokenParts = {}): string {
  const { algorithm, keyId } = key;
  const head = header === undefined ? { alg: algorithm, kid: keyId } : header;
  const body = payload === undefined ? kubernetesClaims() : payload;
  const signingInput = `${encodeSegment(head)}.${encodeSegment(body)}`;
  const entry = findJwsAlgorithm(algorithm);
  if (entry === undefined) throw new TypeError(`no such algorithm: ${algorithm}`);
  const keyAndOptions = { key: key.privateKey, ...entry.options };
  const signature = sign(entry.hash, Buffer.from(signingInput), keyAndOptions);
  return `${signingInput}.${signature.toString("base64url")}`;
}

export function encodeSegment(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return Buffer.from(text).toString("base64url");
}

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function tokenKey(algorithm: string, keyId: string, pair: KeyPair): TokenKey {
  const members = pair.publicKey.export({ format: "jwk" });
  return { ...pair, keyId, algorithm, jwk: { use: "sig", kid: keyId, alg: algorithm, ...members } };
}

function generateKey(algorithm: string): KeyPair {
  const entry = findJwsAlgorithm(algorithm);
  return entry?.keyType === "EC"
    ? generateKeyPairSync("ec", { namedCurve: entry.curve })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}
