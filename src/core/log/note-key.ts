/** Keys of signed notes: a name, an ID made of name and key, and verifier keys as text (`NAME+ID+KEY`). */

import { createPublicKey, hash, type KeyObject } from "node:crypto";
import { LogError } from "./log-error.ts";

/** C2SP signed-note, "Signature types". */
const ED25519 = 0x01;
const PUBLIC_KEY_BYTES = 32;
const NAME_MAX = 512;
/** No Unicode space, no plus, no control character. */
const KEY_NAME = /^[^\s+\p{Cc}]+$/u;
/** The base64 may have a plus, too. */
const VERIFIER_KEY = /^([^+]+)\+[0-9a-f]{8}\+([\w+/=]+)$/;
/** SubjectPublicKeyInfo of Ed25519 (RFC 8410 4) before the key itself. */
const SPKI_START = Buffer.from("302a300506032b6570032100", "hex");

export interface NoteVerifier {
  readonly name: string;
  /** Tells keys apart, and proves nothing. */
  readonly keyId: number;
  readonly publicKey: KeyObject;
}

export interface NoteSigner {
  readonly name: string;
  readonly keyId: number;
  readonly privateKey: KeyObject;
}

/** @throws LogError `log-key-malformed` unless it is an Ed25519 key */
export function noteSigner(name: string, privateKey: KeyObject): NoteSigner {
  const { keyId } = noteVerifier(name, createPublicKey(privateKey));
  return Object.freeze({ name, keyId, privateKey });
}

/** @throws LogError `log-key-malformed` unless it is an Ed25519 key */
export function noteVerifier(name: string, publicKey: KeyObject): NoteVerifier {
  if (!isNoteKeyName(name)) throw malformed("a name without spaces and plus signs");
  if (publicKey.asymmetricKeyType !== "ed25519") throw malformed("an Ed25519 key");
  return Object.freeze({ name, keyId: keyIdOf(name, typedKey(publicKey)), publicKey });
}

export function encodeVerifierKey({ name, keyId, publicKey }: NoteVerifier): string {
  const id = keyId.toString(16).padStart(8, "0");
  return `${name}+${id}+${typedKey(publicKey).toString("base64")}`;
}

/** @throws LogError `log-key-malformed` unless it is exactly what `encodeVerifierKey` makes */
export function parseVerifierKey(text: string): NoteVerifier {
  const [, name = "", base64 = ""] = VERIFIER_KEY.exec(text) ?? [];
  const key = Buffer.from(base64, "base64");
  if (key[0] !== ED25519 || key.length !== 1 + PUBLIC_KEY_BYTES) {
    throw malformed("NAME+ID+KEY with an Ed25519 key (signature type 1)");
  }
  const spki = Buffer.concat([SPKI_START, key.subarray(1)]);
  const verifier = noteVerifier(name, createPublicKey({ key: spki, format: "der", type: "spki" }));
  if (encodeVerifierKey(verifier) !== text) throw malformed("the ID of this name and key");
  return verifier;
}

export function isNoteKeyName(name: string): boolean {
  return name.length <= NAME_MAX && KEY_NAME.test(name) && name.isWellFormed();
}

function keyIdOf(name: string, key: Uint8Array): number {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), key]), "buffer").readUInt32BE(0);
}

/** The key as notes have it: its type, then its octets. */
function typedKey(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ format: "der", type: "spki" });
  return Buffer.concat([Uint8Array.of(ED25519), spki.subarray(-PUBLIC_KEY_BYTES)]);
}

function malformed(expected: string): LogError {
  return new LogError("log-key-malformed", `expected ${expected}`);
}
