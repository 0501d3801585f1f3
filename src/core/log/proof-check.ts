/** Verifies proofs by the algorithms of RFC 9162, 2.1.3.2 and 2.1.4.2, from what is given and nothing else. */

import { equalBytes } from "../bytes.ts";
import { LogError } from "./log-error.ts";
import { emptyRoot, HASH_BYTES, isSize, nodeHash } from "./merkle.ts";

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** @throws LogError `log-proof-invalid` */
export function verifyInclusion({ index, size, leaf, root, proof }: InclusionClaim): void {
  if (!isSize(size) || !isSize(index) || index >= size)
    throw invalid(`${index} is not below ${size}`);
  expectHashes([leaf, root, ...proof]);
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) throw invalid("the proof is too long");
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      // A node without a right sibling goes up as it is.
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw invalid("the proof is too short");
  if (!equalBytes(hash, root)) throw invalid("it leads to another root");
}

/** @throws LogError `log-proof-invalid` */
export function verifyConsistency(claim: ConsistencyClaim): void {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) {
    throw invalid(`a tree of ${oldSize} does not come before one of ${newSize}`);
  }
  expectHashes([oldRoot, newRoot, ...proof]);
  if (oldSize === 0 || oldSize === newSize) {
    if (proof.length > 0) throw invalid("the proof is too long");
    const expected = oldSize === 0 ? emptyRoot : newRoot;
    if (!equalBytes(oldRoot, expected)) throw invalid("the old root is another");
    return;
  }
  verifyGrowth(claim);
}

/** RFC 9162 2.1.4.2, for trees of which neither is empty and that differ in size. */
function verifyGrowth({ oldSize, newSize, oldRoot, newRoot, proof }: ConsistencyClaim): void {
  let [node, last] = [oldSize - 1, newSize - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  // A power of two is one complete subtree, whose root needs no proof.
  const [first, ...rest] = node === 0 ? [oldRoot, ...proof] : proof;
  if (first === undefined) throw invalid("the proof is too short");
  let [old, grown] = [first, first];
  for (const sibling of rest) {
    if (last === 0) throw invalid("the proof is too long");
    if (isOdd(node) || node === last) {
      [old, grown] = [nodeHash(sibling, old), nodeHash(sibling, grown)];
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      grown = nodeHash(grown, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw invalid("the proof is too short");
  if (!equalBytes(old, oldRoot)) throw invalid("it leads to another old root");
  if (!equalBytes(grown, newRoot)) throw invalid("it leads to another new root");
}

/** Sizes go up to 2^53, beyond what the bit operators take. */
const half = (value: number): number => Math.floor(value / 2);
const isOdd = (value: number): boolean => value % 2 === 1;

function expectHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.some(({ length }) => length !== HASH_BYTES)) {
    throw invalid(`every hash has ${HASH_BYTES} octets`);
  }
}

function invalid(why: string): LogError {
  return new LogError("log-proof-invalid", `expected a proof that holds: ${why}`);
}
