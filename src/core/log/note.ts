/**
 * Signed notes (C2SP signed-note v1): a text, a blank line, signatures. Ed25519 only (signature type 1). A text counts for
 * nothing until a known key has signed it, and not a word of an unverified one gets into an error.
 */

import { sign, verify, type KeyObject } from "node:crypto";
import { isNoteKeyName, type NoteSigner, type NoteVerifier } from "./note-key.ts";
import { LogError } from "./log-error.ts";

/** Room for more than the 16 signatures that a verifier must accept, also post-quantum ones of witnesses. */
const NOTE_CHARACTERS_MAX = 131_072;
const SIGNATURES_MAX = 64;
const KEY_ID_BYTES = 4;
const SIGNATURE_LINE = /^— ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/;

export interface OpenedNote {
  /** With its last newline. */
  readonly text: string;
  /** Those of the given ones that signed it: at least one. */
  readonly signedBy: readonly NoteVerifier[];
}

/** @throws LogError `log-note-malformed` if the text can be no note's */
export function signNote(text: string, { name, keyId, privateKey }: NoteSigner): string {
  if (!text.endsWith("\n") || !isNoteText(text)) {
    throw malformed("a text of whole lines without control characters");
  }
  const id = Buffer.alloc(KEY_ID_BYTES);
  id.writeUInt32BE(keyId);
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
  return `${text}\n— ${name} ${signature.toString("base64")}\n`;
}

/**
 * A signature of a known key must be good; one of an unknown key is passed over.
 * @throws LogError `log-note-malformed`, `log-note-unverified`
 */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): OpenedNote {
  if (note.length > NOTE_CHARACTERS_MAX || !isNoteText(note)) {
    throw malformed(`at most ${NOTE_CHARACTERS_MAX} characters of text, no control characters`);
  }
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n") || split + 2 === note.length) {
    throw malformed("a text, a blank line and signatures");
  }
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw malformed(`at most ${SIGNATURES_MAX} signatures`);
  const signedBy = new Set<NoteVerifier>();
  for (const { name, keyId, signature } of lines.map(parseSignature)) {
    const verifier = verifiers.find((each) => each.name === name && each.keyId === keyId);
    if (verifier === undefined || signedBy.has(verifier)) continue;
    expectSignature(text, verifier, signature);
    signedBy.add(verifier);
  }
  if (signedBy.size === 0) {
    throw new LogError("log-note-unverified", "expected a signature of a known key, got none", {
      hint: "give the verifier key of the log that this note is from",
    });
  }
  return { text, signedBy: [...signedBy] };
}

function expectSignature(
  text: string,
  { name, publicKey }: { readonly name: string; readonly publicKey: KeyObject },
  signature: Uint8Array,
): void {
  if (verify(null, Buffer.from(text), publicKey, signature)) return;
  throw new LogError("log-note-unverified", `expected a good signature of ${name}, got a bad one`);
}

function parseSignature(line: string): {
  readonly name: string;
  readonly keyId: number;
  readonly signature: Uint8Array;
} {
  const [, name = "", base64 = ""] = SIGNATURE_LINE.exec(line) ?? [];
  const octets = Buffer.from(base64, "base64");
  const isWhole = octets.length > KEY_ID_BYTES && octets.toString("base64") === base64;
  if (!isNoteKeyName(name) || !isWhole) throw malformed("a dash, a name and base64 in a signature");
  return { name, keyId: octets.readUInt32BE(0), signature: octets.subarray(KEY_ID_BYTES) };
}

function isNoteText(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

function malformed(expected: string): LogError {
  return new LogError("log-note-malformed", `expected ${expected} in a signed note`);
}
