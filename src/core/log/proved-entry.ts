/** An entry with the proof that it is in a tree: nothing is read of it before that has been verified. */

import type { Checkpoint } from "./checkpoint.ts";
import { decodeEntry } from "./entry-codec.ts";
import type { Entry } from "./entry.ts";
import { leafHash } from "./merkle.ts";
import { verifyInclusion } from "./proof-check.ts";

export interface ProvedEntry {
  readonly index: number;
  /** As it is in the log. */
  readonly bytes: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** @throws LogError for what is not in the tree of the checkpoint, or is no entry */
export function openEntry(
  { index, bytes, proof }: ProvedEntry,
  { size, root }: Pick<Checkpoint, "size" | "root">,
): Entry {
  verifyInclusion({ index, size, leaf: leafHash(bytes), root, proof });
  return decodeEntry(bytes);
}
