/** Checkpoints of the log (C2SP tlog-checkpoint): origin, size and root of its tree, as a signed note. */

import { LogError } from "./log-error.ts";
import { HASH_BYTES, isSize } from "./merkle.ts";
import { isNoteKeyName, type NoteSigner, type NoteVerifier } from "./note-key.ts";
import { openNote, signNote } from "./note.ts";

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** The name of a trust domain's log, and of the key that signs it. */
export function logOrigin(trustDomain: string): string {
  return `${trustDomain}/portcullis/log`;
}

/** The signer's name is the origin. */
export function signCheckpoint(size: number, root: Uint8Array, signer: NoteSigner): string {
  return signNote(encodeCheckpoint({ origin: signer.name, size, root }), signer);
}

/**
 * @param verifiers of which one must have signed; its name must be the origin
 * @throws LogError `log-note-malformed`, `log-note-unverified`, `log-checkpoint-malformed`
 */
export function openCheckpoint(note: string, verifiers: readonly NoteVerifier[]): Checkpoint {
  const { text, signedBy } = openNote(note, verifiers);
  const checkpoint = parseCheckpoint(text);
  if (!signedBy.some(({ name }) => name === checkpoint.origin)) {
    throw new LogError(
      "log-note-unverified",
      `expected a signature of ${checkpoint.origin}, got one of ${signedBy.map(({ name }) => name).join(", ")}`,
    );
  }
  return checkpoint;
}

function encodeCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
}

/** Extension lines are refused: our log has none. */
function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", size = "", root = ""] = text.split("\n");
  const checkpoint = {
    origin,
    size: Number(size),
    root: new Uint8Array(Buffer.from(root, "base64")),
  };
  const isWhole =
    isNoteKeyName(origin) &&
    isSize(checkpoint.size) &&
    checkpoint.root.length === HASH_BYTES &&
    encodeCheckpoint(checkpoint) === text;
  if (!isWhole) {
    throw new LogError(
      "log-checkpoint-malformed",
      "expected an origin, a size and a root of 32 octets",
    );
  }
  return checkpoint;
}
