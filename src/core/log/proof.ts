/**
 * Makes proofs that an entry is in a tree, and that a tree is the beginning of another (RFC 6962 2.1.1, 2.1.2). Nothing here
 * says whether a proof holds: `proof-check.ts` does, and shares no step with it.
 */

import { LogError } from "./log-error.ts";
import { completeSubtrees, isSize, joinSubtrees, type SubtreeReader } from "./merkle.ts";

/**
 * From the leaf's sibling up.
 * @throws LogError `log-tree-invalid` unless `index` is a leaf of a tree of `size`
 */
export function inclusionProof(index: number, size: number, read: SubtreeReader): Uint8Array[] {
  if (!isSize(size) || !isSize(index) || index >= size) {
    throw new LogError("log-tree-invalid", `expected an index below ${size}, got ${index}`);
  }
  const proof: Uint8Array[] = [];
  for (let start = 0, end = size; end - start > 1;) {
    const split = start + splitOf(end - start);
    if (index < split) {
      proof.push(rootOf(split, end, read));
      end = split;
    } else {
      proof.push(rootOf(start, split, read));
      start = split;
    }
  }
  return proof.toReversed();
}

/**
 * Empty where the old tree is empty or the new one.
 * @throws LogError `log-tree-invalid` unless `oldSize` is at most `newSize`
 */
export function consistencyProof(
  oldSize: number,
  newSize: number,
  read: SubtreeReader,
): Uint8Array[] {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) {
    throw new LogError("log-tree-invalid", `expected a size up to ${newSize}, got ${oldSize}`);
  }
  if (oldSize === 0 || oldSize === newSize) return [];
  const proof: Uint8Array[] = [];
  let [start, end] = [0, newSize];
  while (oldSize !== end) {
    const split = start + splitOf(end - start);
    if (oldSize <= split) {
      proof.push(rootOf(split, end, read));
      end = split;
    } else {
      proof.push(rootOf(start, split, read));
      start = split;
    }
  }
  // The old tree itself, whose root the verifier has, is left out.
  if (start > 0) proof.push(rootOf(start, end, read));
  return proof.toReversed();
}

function rootOf(start: number, end: number, read: SubtreeReader): Uint8Array {
  return joinSubtrees(completeSubtrees(start, end).map(({ level, index }) => read(level, index)));
}

/** The largest power of two below `size`, which is at least 2 (RFC 6962 2.1). */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}
