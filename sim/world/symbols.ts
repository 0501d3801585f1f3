/**
 * Symbolic cryptography: a root is one octet, a set of roots is a mask of bits, and a signature cannot be forged because nobody
 * tries. What production code reads of an authority or a bundle is there; what it never reads is not.
 */

import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import type { NewAuthority } from "../../src/core/trust/rotation.ts";

/** In one schedule; a mask has 31 bits. */
export const rootsMax = 30;

export interface Leaf {
  readonly serial: string;
  readonly identity: string;
  /** The signer's key ID. */
  readonly signer: string;
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

/** @param signer 0 signs itself; each further one is an intermediate under the same root */
export function signerId(index: number, signer: number): string {
  return ((index << 8) | signer | 0x100000).toString(16);
}

/** Of the root above a signer. */
export function indexOf(signer: string): number {
  return (Number.parseInt(signer, 16) ^ 0x100000) >> 8;
}

export function signerBit(signer: string): number {
  return 1 << indexOf(signer);
}

export function newAuthority(index: number, key: "store" | "external"): NewAuthority {
  const id = signerId(index, 0);
  return { id, chain: [], root: rootAt(index), key, signerIds: [id], auto: false };
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
