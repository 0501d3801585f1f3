/**
 * Proofs of the server's own log, for its witnesses. A head is shared for a second and proofs are kept for a while, because
 * most agents hold the same checkpoint and are shown the same one.
 */

import { LRUCache } from "lru-cache";
import { hexOf } from "../../../core/bytes.ts";
import { openCheckpoint, type Checkpoint } from "../../../core/log/checkpoint.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import { LogError } from "../../../core/log/log-error.ts";
import { encodeVerifierKey, type NoteVerifier } from "../../../core/log/note-key.ts";
import { verifyConsistency } from "../../../core/log/proof-check.ts";
import type { ProvedEntry } from "../../../core/log/proved-entry.ts";
import { findRestored } from "../../../core/log/restored.ts";
import type { LogClaim } from "../../../core/log/witness-claim.ts";
import type { LogReader, StoredEntry } from "../../../edge/log/log-reader.ts";

export interface LogProofsDependencies {
  readonly reader: Pick<LogReader, "head" | "inclusion" | "consistency">;
  readonly verifier: NoteVerifier;
  /** The `restored` events of the log, the oldest first. */
  readonly restores: () => readonly StoredEntry[];
}

export interface OwnHead {
  readonly checkpoint: Checkpoint;
  readonly note: string;
}

export interface OwnClaim extends LogClaim {
  /** What the held checkpoint proves against this log, restored or not. */
  readonly contradiction: "log-rollback" | "log-fork" | undefined;
}

type Shown = Pick<OwnClaim, "consistency" | "contradiction">;

const headKeptMs = 1_000;
const proofsKept = 256;

export class LogProofs {
  readonly #dependencies: LogProofsDependencies;
  readonly #verifierKey: string;
  /** By both checkpoints, roots included: another held root of one size is another answer. */
  readonly #shown = new LRUCache<string, Shown>({ max: proofsKept });
  #head: (OwnHead & { readonly readAt: number }) | undefined;

  constructor(dependencies: LogProofsDependencies) {
    this.#dependencies = dependencies;
    this.#verifierKey = encodeVerifierKey(dependencies.verifier);
  }

  /** @param size that it has at least, unless the log is smaller @throws LogError, what SQLite throws */
  head(size: number = 0): OwnHead {
    const now = performance.now();
    const known = this.#head;
    if (known !== undefined && now - known.readAt < headKeptMs && known.checkpoint.size >= size) {
      return known;
    }
    const note = this.#dependencies.reader.head().checkpoint;
    this.#head = { checkpoint: this.#open(note), note, readAt: now };
    return this.#head;
  }

  /** Undefined for a note that our key has not signed. */
  find(note: string): Checkpoint | undefined {
    try {
      return this.#open(note);
    } catch (error) {
      if (error instanceof LogError) return undefined;
      throw error;
    }
  }

  /** What a witness of `held` is shown. @throws LogError, what SQLite throws */
  claim(held: Checkpoint | undefined, head: OwnHead): OwnClaim {
    const { checkpoint, note } = head;
    const claim = { note, verifierKey: this.#verifierKey, fromSize: held?.size ?? 0 };
    const { consistency, contradiction } = this.#show(held, checkpoint);
    const restored = this.#restored(held, contradiction !== undefined, checkpoint.size);
    return { ...claim, consistency, contradiction, ...(restored && { restored }) };
  }

  #show(held: Checkpoint | undefined, head: Checkpoint): Shown {
    if (held === undefined) return { consistency: [], contradiction: undefined };
    if (held.size > head.size) return { consistency: [], contradiction: "log-rollback" };
    const key = [held, head].map(({ size, root }) => `${size} ${hexOf(root)}`).join(" ");
    const known = this.#shown.get(key);
    if (known !== undefined) return known;
    const consistency = this.#dependencies.reader.consistency(held.size, head.size);
    const shown = { consistency, contradiction: contradictionOf(held, head, consistency) };
    this.#shown.set(key, shown);
    return shown;
  }

  /** The newest that explains the contradiction, or that the witness cannot have seen. */
  #restored(
    held: Checkpoint | undefined,
    isContradicted: boolean,
    size: number,
  ): ProvedEntry | undefined {
    const { reader, restores } = this.#dependencies;
    const found = restores().findLast(({ index, data }) => {
      if (index >= size) return false;
      return isContradicted ? hasLost(data, held?.size ?? 0) : (held?.size ?? 0) <= index;
    });
    if (found === undefined) return undefined;
    const { index, data: bytes } = found;
    return { index, bytes, proof: reader.inclusion(index, size) };
  }

  #open(note: string): Checkpoint {
    return openCheckpoint(note, [this.#dependencies.verifier]);
  }
}

function hasLost(entry: Uint8Array, size: number): boolean {
  const range = findRestored(decodeEntry(entry));
  return range !== undefined && range.from < size && size <= range.to;
}

function contradictionOf(
  held: Checkpoint,
  head: Checkpoint,
  proof: readonly Uint8Array[],
): OwnClaim["contradiction"] {
  try {
    const sizes = { oldSize: held.size, newSize: head.size };
    verifyConsistency({ ...sizes, oldRoot: held.root, newRoot: head.root, proof });
    return undefined;
  } catch (error) {
    if (error instanceof LogError) return "log-fork";
    throw error;
  }
}
