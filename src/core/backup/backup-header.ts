/**
 * The beginning of a backup: three lines of text. The format and its version; what is in it and how the key is made of the
 * passphrase, as JSON; a MAC over both lines. The keys of all that follows are made of the first two lines, so that
 * nothing of another backup fits. docs/disaster-recovery.md has the format.
 */

import { BackupError } from "./backup-error.ts";
import { manifestOf, type BackupManifest } from "./backup-manifest.ts";
import { countOf, objectOf, octetsOf, parseObject, textOf } from "./strict-json.ts";

export const SALT_BYTES = 32;
const HEADER_MAC_BYTES = 32;
/** Whoever reads more than this before the third line break reads no backup. */
export const HEADER_BYTES_MAX = 16_384;

const FORMAT_VERSION = 1;
const FIRST_LINE = /^portcullis backup (\d{1,9})\n/;

/** scrypt (RFC 7914), whose memory is 128 * N * r octets; r and p are fixed. */
export interface KeyDerivation {
  readonly n: number;
  readonly salt: Uint8Array;
}

export interface BackupHeader {
  readonly manifest: BackupManifest;
  readonly derivation: KeyDerivation;
}

export interface ParsedHeader extends BackupHeader {
  /** The first two lines: what keys are made of. */
  readonly authenticated: Uint8Array;
  readonly mac: Uint8Array;
  /** Where the first chunk begins. */
  readonly length: number;
}

/** OWASP's choice of N for scrypt: 128 MiB, and about half a second. */
export const NEW_N: number = 2 ** 17;
/** A header must not be able to ask for more than 1 GiB, nor for a key that is cheap to guess. */
const N_MIN = 2 ** 14;
const N_MAX = 2 ** 20;
export const SCRYPT_R = 8;
export const SCRYPT_P = 1;

/** The first two lines; the MAC over them is the third. */
export function encodeHeader({ manifest, derivation }: BackupHeader): Uint8Array {
  const { n, salt } = derivation;
  const fields = {
    ...manifest,
    kdf: {
      name: "scrypt",
      n,
      r: SCRYPT_R,
      p: SCRYPT_P,
      salt: Buffer.from(salt).toString("base64"),
    },
    cipher: "aes-256-gcm",
  };
  return Buffer.from(`portcullis backup ${FORMAT_VERSION}\n${JSON.stringify(fields)}\n`);
}

export function encodeHeaderMac(mac: Uint8Array): Uint8Array {
  return Buffer.from(`${Buffer.from(mac).toString("base64")}\n`);
}

/**
 * @param start of the file, `HEADER_BYTES_MAX` octets where it has as many
 * @throws BackupError `backup-malformed`, `backup-newer`
 */
export function parseHeader(start: Uint8Array): ParsedHeader {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const version = FIRST_LINE.exec(bytes.toString("latin1", 0, 40))?.[1];
  if (version === undefined) throw malformed("a first line that says portcullis backup");
  assertFormat(Number(version));
  const second = bytes.indexOf("\n") + 1;
  const third = bytes.indexOf("\n", second) + 1;
  const length = bytes.indexOf("\n", third) + 1;
  if (third === 0 || length === 0) throw malformed("three whole lines before the first chunk");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(second, third));
    const fields = parseObject(text);
    return {
      manifest: manifestOf(fields),
      derivation: derivationOf(fields),
      authenticated: bytes.subarray(0, third),
      mac: octetsOf(bytes.toString("latin1", third, length - 1), "the MAC", HEADER_MAC_BYTES),
      length,
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "a header";
    throw new BackupError("backup-malformed", `the header is damaged: ${reason}`, { cause });
  }
}

function assertFormat(version: number): void {
  if (version === FORMAT_VERSION) return;
  if (version < FORMAT_VERSION) throw malformed(`format ${FORMAT_VERSION}`);
  throw new BackupError(
    "backup-newer",
    `expected a backup of format ${FORMAT_VERSION} at most, got ${version}`,
    { hint: "this backup was made by a newer portcullis: restore it with that one" },
  );
}

function derivationOf(fields: Readonly<Record<string, unknown>>): KeyDerivation {
  const kdf = objectOf(fields["kdf"], "kdf");
  if (textOf(kdf["name"], "kdf.name", 16) !== "scrypt") throw new TypeError("expected scrypt");
  const [n, r, p] = [countOf(kdf["n"], "n"), countOf(kdf["r"], "r"), countOf(kdf["p"], "p")];
  const isPower = Number.isInteger(Math.log2(n));
  if (!isPower || n < N_MIN || n > N_MAX || r !== SCRYPT_R || p !== SCRYPT_P) {
    throw new TypeError(`expected N from ${N_MIN} to ${N_MAX}, r = 8 and p = 1`);
  }
  if (textOf(fields["cipher"], "cipher", 16) !== "aes-256-gcm") {
    throw new TypeError("expected aes-256-gcm");
  }
  return { n, salt: octetsOf(kdf["salt"], "kdf.salt", SALT_BYTES) };
}

function malformed(expected: string): BackupError {
  return new BackupError("backup-malformed", `this is no backup: expected ${expected}`, {
    hint: "name a file that portcullis backup has written",
  });
}
