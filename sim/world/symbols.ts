/**
 * Symbolic cryptography: a root is one octet, a set of roots is a mask of bits, and a signature cannot be forged because nobody
 * tries. What production code reads of an authority or a bundle is there; what it never reads is not.
 */

import { rootSha256, rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import type { NewAuthority } from "../../src/core/trust/rotation.ts";

/** In one schedule; a mask has 31 bits. */
export const rootsMax = 30;

export interface Leaf {
  readonly serial: string;
  readonly identity: string;
  readonly rootBit: number;
  readonly notAfterMs: number;
  /** Where its intent is in the log. */
  readonly intentIndex: number;
}

const roots = Array.from({ length: rootsMax }, (_, index) => Uint8Array.of(index));

export function rootAt(index: number): Uint8Array {
  const root = roots[index];
  if (root === undefined) throw new RangeError(`expected a root below ${rootsMax}, got ${index}`);
  return root;
}

/** A key ID. @param signer 0 signs itself; each further one is an intermediate under the same root */
export function signerId(index: number, signer: number): string {
  return ((index << 8) | signer | 0x100000).toString(16);
}

/** A root signs itself; each other certificate is its key's name. */
export function keyIdOf(certificate: Uint8Array): string {
  const [index = 0] = certificate;
  return certificate.length === 1 ? signerId(index, 0) : Buffer.from(certificate).toString();
}

/** Of the root above a signer. */
export function indexOf(signer: string): number {
  return (Number.parseInt(signer, 16) ^ 0x100000) >> 8;
}

const rootDigests = roots.map(rootSha256);

/** As the log names a root. */
export function rootDigest(root: Uint8Array): string {
  return rootDigests[root[0] ?? 0] ?? "";
}

export function bitOfDigest(digest: string): number {
  return 1 << rootDigests.indexOf(digest);
}

export function newAuthority(index: number, key: "store" | "external"): NewAuthority {
  return { id: signerId(index, 0), chain: [], root: rootAt(index), key, auto: false };
}

export function bitOf(root: Uint8Array): number {
  return 1 << (root[0] ?? 0);
}

export function maskOf(all: readonly Uint8Array[]): number {
  let mask = 0;
  for (const root of all) mask |= bitOf(root);
  return mask;
}

const digests = new Map<number, string>();

export function digestOf(mask: number): string {
  let digest = digests.get(mask);
  if (digest === undefined) {
    digest = rootsDigest(roots.filter((root) => (mask & bitOf(root)) !== 0));
    digests.set(mask, digest);
  }
  return digest;
}

/** For people. */
export function rootNames(mask: number): string {
  const names = roots.flatMap((root, index) => ((mask & bitOf(root)) === 0 ? [] : index));
  return `{${names.join(", ")}}`;
}
