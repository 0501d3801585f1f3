/** Merkle trees in the words of RFC 6962 2.1, slow and plain, and the reference tree of Certificate Transparency. */

import { hash } from "node:crypto";
import type { SubtreeReader } from "../../src/core/log/merkle.ts";

/** From the tests of google/certificate-transparency (merkletree, `kSHA256EmptyTreeHash` and following). */
export const ctLeaves: readonly Uint8Array[] = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((hex) => Buffer.from(hex, "hex"));

/** Of its first 0 to 8 leaves. */
export const ctRoots: readonly string[] = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

export function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}

export function numberedLeaves(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, index) => sha256(Buffer.from(`\0leaf ${index}`)));
}

/** MTH, of leaf hashes. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [leaf, second] = leaves;
  if (leaf === undefined) return sha256(Buffer.alloc(0));
  if (second === undefined) return leaf;
  const split = naiveSplit(leaves.length);
  const halves = [naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split))];
  return sha256(Buffer.concat([Uint8Array.of(1), ...halves]));
}

/** PATH(m, D[n]) of RFC 6962 2.1.1. */
export function naiveInclusion(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const split = naiveSplit(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...naiveInclusion(index, left), naiveRoot(right)]
    : [...naiveInclusion(index - split, right), naiveRoot(left)];
}

/** PROOF(m, D[n]) of RFC 6962 2.1.2. */
export function naiveConsistency(oldSize: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  const subproof = (size: number, part: readonly Uint8Array[], isWhole: boolean): Uint8Array[] => {
    if (size === part.length) return isWhole ? [] : [naiveRoot(part)];
    const split = naiveSplit(part.length);
    const [left, right] = [part.slice(0, split), part.slice(split)];
    return size <= split
      ? [...subproof(size, left, isWhole), naiveRoot(right)]
      : [...subproof(size - split, right, false), naiveRoot(left)];
  };
  return oldSize === 0 ? [] : subproof(oldSize, leaves, true);
}

/** Reads the complete subtrees of these leaf hashes. */
export function treeOf(leaves: readonly Uint8Array[]): SubtreeReader {
  const known = new Map<string, Uint8Array>();
  return (level, index) => {
    const key = `${level}/${index}`;
    const [start, end] = [index * 2 ** level, (index + 1) * 2 ** level];
    if (end > leaves.length) throw new RangeError(`${key} is not complete`);
    const found = known.get(key) ?? naiveRoot(leaves.slice(start, end));
    known.set(key, found);
    return found;
  };
}

function naiveSplit(size: number): number {
  return 2 ** (Math.ceil(Math.log2(size)) - 1);
}

function sha256(data: Uint8Array): Uint8Array {
  return hash("sha256", data, "buffer");
}
