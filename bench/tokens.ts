/**
 * Service-account tokens of the shape that Kubernetes mints, by an issuer that exists for one
 * bench: its key is made anew, and the servers under test are given its key set.
 */

import type { KeyObject } from "node:crypto";
import { createHash, generateKeyPair, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface TokenOptions {
  /** RSA: tokens are RS256, as Kubernetes signs unless told otherwise. */
  readonly signingKey: KeyObject;
  readonly keyId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly nowMs: number;
  readonly ttlSeconds: number;
}

/** Whose token it is: a pod and its account. */
export interface Bearer {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

const signAsync = promisify(sign);

/** @param jwksFile where its key set is written to */
export async function makeTokenIssuer(jwksFile: string, nowMs: number): Promise<TokenOptions> {
  const keyId = "bench";
  const pair = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const key = { ...pair.publicKey.export({ format: "jwk" }), kid: keyId, alg: "RS256", use: "sig" };
  await writeFile(jwksFile, JSON.stringify({ keys: [key] }));
  const issuer = "https://issuer.bench.invalid";
  const signingKey = pair.privateKey;
  return { signingKey, keyId, issuer, audience: "istio-ca", nowMs, ttlSeconds: 36_000 };
}

/** @param number makes it differ from others of the bearer; with the seed, names and UIDs follow from it */
export async function mintToken(
  tokens: TokenOptions,
  { namespace, serviceAccount, pod }: Bearer,
  number: number,
  seed: number,
): Promise<string> {
  const nowSeconds = Math.floor(tokens.nowMs / 1000);
  const claims = {
    aud: [tokens.audience],
    exp: nowSeconds + tokens.ttlSeconds,
    iat: nowSeconds,
    iss: tokens.issuer,
    jti: uuid(seed, "token", number),
    "kubernetes.io": {
      namespace,
      node: { name: "bench-node", uid: uuid(seed, "node", "bench-node") },
      pod: { name: pod, uid: uuid(seed, "pod", pod) },
      serviceaccount: { name: serviceAccount, uid: uuid(seed, "serviceaccount", serviceAccount) },
    },
    nbf: nowSeconds,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
  };
  const signingInput = `${base64url({ alg: "RS256", kid: tokens.keyId })}.${base64url(claims)}`;
  const signature = await signAsync("sha256", Buffer.from(signingInput), tokens.signingKey);
  return `${signingInput}.${signature.toString("base64url")}`;
}

/** A UUID of version 8 (RFC 9562 5.8): the same for the same seed and name. */
function uuid(seed: number, kind: string, name: string | number): string {
  const bytes = createHash("sha256").update(`${seed}/${kind}/${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
