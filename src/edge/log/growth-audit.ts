/** Checks that a log goes on from an older checkpoint of it: that nothing was taken back, and nothing was told otherwise. */

import type { DatabaseSync } from "node:sqlite";
import type { Checkpoint } from "../../core/log/checkpoint.ts";
import { LogError } from "../../core/log/log-error.ts";
import { verifyConsistency } from "../../core/log/proof-check.ts";
import { consistencyProof } from "../../core/log/proof.ts";
import { TileSource } from "./tile-source.ts";

interface GrowthFault {
  readonly code: "rolled-back" | "forked";
  readonly message: string;
}

/** @throws RangeError when tiles are missing; what SQLite throws */
export function growthFault(
  database: DatabaseSync,
  old: Checkpoint,
  now: Checkpoint,
): GrowthFault | undefined {
  if (old.size > now.size) {
    const message = `expected at least the ${old.size} entries of the older checkpoint, got ${now.size}`;
    return { code: "rolled-back", message };
  }
  const proof = consistencyProof(old.size, now.size, new TileSource(database).subtrees(now.size));
  try {
    verifyConsistency({
      oldSize: old.size,
      newSize: now.size,
      oldRoot: old.root,
      newRoot: now.root,
      proof,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const message = `the first ${old.size} entries are not those of the older checkpoint`;
    return { code: "forked", message };
  }
}
