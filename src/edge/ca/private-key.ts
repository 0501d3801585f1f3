/**
 * A CA's private key from PEM: PKCS #8 (RFC 5958), PKCS #1 (RFC 8017) and SEC 1 (RFC 5915), plain or encrypted. It must
 * be the only key of its file and of a type that we sign with. Nothing of what was read leaves in an error.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { PortcullisError } from "../../core/error.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import { errnoOf } from "../config/errno.ts";
import { CaKeyError } from "./ca-key-error.ts";

export interface PrivateKeyFile {
  /** For messages. */
  readonly name: string;
  readonly pem: Uint8Array;
}

/**
 * @param passphrase undefined for a key that must be plain
 * @throws CaKeyError
 */
export function parsePrivateKey(
  file: PrivateKeyFile,
  passphrase: Uint8Array | undefined,
): KeyObject {
  const { name } = file;
  const block = findKeyBlock(file);
  const isEncrypted = block.label === "ENCRYPTED PRIVATE KEY" || LEGACY_ENCRYPTION.test(block.text);
  if (isEncrypted && passphrase === undefined) {
    throw new CaKeyError("ca-key-encrypted", name, "the key is encrypted", {
      hint: "give the file with its passphrase: --key-passphrase-file FILE",
    });
  }
  const key = loadKey(name, block.text, isEncrypted ? passphrase : undefined);
  assertSupported(name, key);
  return key;
}

/**
 * @param spki of the certificate that the key must be of
 * @throws CaKeyError
 */
export function assertKeyOf(
  key: KeyObject,
  spki: Uint8Array,
  name: string,
  of: string,
  hint = `replace both together: ${name} and ${of}`,
): void {
  if (Buffer.compare(publicSpki(key), spki) === 0) return;
  const reason = `expected the key of ${of}, got that of another certificate`;
  throw new CaKeyError("ca-key-mismatch", name, reason, { hint });
}

/** SubjectPublicKeyInfo, DER. */
export function publicSpki(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
}

interface KeyBlock {
  readonly label: string;
  readonly text: string;
}

const BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\r?$[\s\S]*?^-----END \1-----\r?$/gm;
const BEGIN = /^-----BEGIN /gm;
const KEY_LABELS: ReadonlySet<string> = new Set([
  "PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "RSA PRIVATE KEY",
  "EC PRIVATE KEY",
]);
/** `openssl ecparam -genkey` writes it before the key, which names its curve itself. */
const IGNORED_LABEL = "EC PARAMETERS";
/** RFC 1421 4.6.1.1. */
const LEGACY_ENCRYPTION = /^Proc-Type: *4, *ENCRYPTED/m;

function findKeyBlock({ name, pem }: PrivateKeyFile): KeyBlock {
  const text = Buffer.from(pem).toString("latin1");
  const blocks = [...text.matchAll(BLOCK)]
    .map(([text, label = ""]) => ({ label, text }))
    .filter(({ label }) => label !== IGNORED_LABEL);
  const begun = [...text.matchAll(BEGIN)].length;
  const whole = [...text.matchAll(BLOCK)].length;
  const foreign = blocks.find(({ label }) => !KEY_LABELS.has(label));
  const [key, second] = blocks.filter(({ label }) => KEY_LABELS.has(label));
  if (second !== undefined) {
    throw new CaKeyError("ca-key-several", name, "expected one private key, got several");
  }
  if (foreign !== undefined) {
    const got = `got a block ${JSON.stringify(foreign.label)}`;
    throw new CaKeyError("ca-key-not-a-key", name, `expected a private key and no more, ${got}`);
  }
  if (begun !== whole) {
    throw new CaKeyError("ca-key-malformed", name, "expected a whole PEM block of a private key");
  }
  if (key !== undefined) return key;
  throw new CaKeyError("ca-key-missing", name, "expected a private key in PEM, got none");
}

function loadKey(name: string, pem: string, passphrase: Uint8Array | undefined): KeyObject {
  try {
    if (passphrase === undefined) return createPrivateKey(pem);
    return createPrivateKey({ key: pem, passphrase: Buffer.from(passphrase) });
  } catch (error) {
    // OpenSSL's error is not passed on, only its name: nobody promises what the rest repeats.
    const reason = errnoOf(error) ?? "unknown error";
    if (passphrase !== undefined) {
      const what = `the key cannot be decrypted: a wrong passphrase or a damaged file (${reason})`;
      throw new CaKeyError("ca-key-undecryptable", name, what, {
        hint: `try the same passphrase where the file is: openssl pkey -noout -in ${name}`,
      });
    }
    throw new CaKeyError("ca-key-malformed", name, `OpenSSL cannot read the key (${reason})`);
  }
}

function assertSupported(name: string, key: KeyObject): void {
  try {
    parsePublicKey(publicSpki(key));
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    throw new CaKeyError("ca-key-type-unsupported", name, cause.message, { cause });
  }
}
