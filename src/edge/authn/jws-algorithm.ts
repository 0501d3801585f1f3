/**
 * The signature algorithms that a token may use (RFC 7518 3.3 to 3.5), as data. Kubernetes signs
 * with RS256, ES256, ES384 and ES512; the other RSA ones are what other issuers of our operators
 * use. What is not in the table does not exist: `none`, and every HMAC, for which a public key
 * would be the secret.
 */

import { constants } from "node:crypto";

export type JwsAlgorithm = RsaAlgorithm | EcAlgorithm;

interface RsaAlgorithm {
  readonly name: string;
  readonly keyType: "RSA";
  readonly hash: Hash;
  readonly options: { readonly padding: number; readonly saltLength?: number };
}

interface EcAlgorithm {
  readonly name: string;
  readonly keyType: "EC";
  readonly hash: Hash;
  /** RFC 7518 6.2.1.1. Each algorithm belongs to one curve and each curve to one algorithm. */
  readonly curve: string;
  /** R and S, each as long as the order of the curve, and nothing else (RFC 7518 3.4). */
  readonly options: { readonly dsaEncoding: "ieee-p1363" };
}

type Hash = "sha256" | "sha384" | "sha512";

export function findJwsAlgorithm(name: string): JwsAlgorithm | undefined {
  return BY_NAME.get(name);
}

const pkcs1 = { padding: constants.RSA_PKCS1_PADDING };
/** RFC 7518 3.5: the salt is as long as the hash. */
const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
const p1363 = { dsaEncoding: "ieee-p1363" } as const;

export const JWS_ALGORITHMS: readonly JwsAlgorithm[] = [
  { name: "RS256", keyType: "RSA", hash: "sha256", options: pkcs1 },
  { name: "RS384", keyType: "RSA", hash: "sha384", options: pkcs1 },
  { name: "RS512", keyType: "RSA", hash: "sha512", options: pkcs1 },
  { name: "PS256", keyType: "RSA", hash: "sha256", options: pss },
  { name: "PS384", keyType: "RSA", hash: "sha384", options: pss },
  { name: "PS512", keyType: "RSA", hash: "sha512", options: pss },
  { name: "ES256", keyType: "EC", hash: "sha256", curve: "P-256", options: p1363 },
  { name: "ES384", keyType: "EC", hash: "sha384", curve: "P-384", options: p1363 },
  { name: "ES512", keyType: "EC", hash: "sha512", curve: "P-521", options: p1363 },
];

const BY_NAME: ReadonlyMap<string, JwsAlgorithm> = new Map(
  JWS_ALGORITHMS.map((algorithm) => [algorithm.name, algorithm]),
);
