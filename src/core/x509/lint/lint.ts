/**
 * What a lint is: one rule of a standard, or of our own profile, that the bytes to be signed must keep. Lints look at
 * what the reader made of the bytes, never at what the writer was given, so that a fault of the writer cannot hide.
 */

import { hash } from "node:crypto";
import { PortcullisError } from "../../error.ts";
import { parseTbs, type Extension, type TbsCertificate } from "../certificate.ts";
import { parsePublicKey, type KeyType, type PublicKey } from "../public-key.ts";
import { isReaderCode, readerRule, type Rule } from "./reader.ts";
import { splitUri, type UriParts } from "./uri.ts";

export interface Lint<Context = unknown> extends Rule {
  readonly holds: (subject: LintSubject, context: Context) => boolean;
}

/** Read once for all lints. */
export interface LintSubject {
  readonly tbs: TbsCertificate;
  readonly key: PublicKey;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyDigest: Uint8Array;
  /** Of the first URI among the names. */
  readonly uri: UriParts;
}

/** The certificate that a leaf will be under. */
export interface LintIssuer {
  readonly subjectDer: Uint8Array;
  /** Its subject key identifier. */
  readonly keyId: Uint8Array;
  readonly keyType: KeyType;
  /** When the first certificate of its path ends. */
  readonly notAfterMs: number;
}

export interface LeafContext {
  readonly issuer: LintIssuer;
  readonly nowMs: number;
  /** From now, not from notBefore. */
  readonly lifetimeMaxSeconds: number;
}

export type LintVerdict =
  | { readonly kind: "passed"; readonly subject: LintSubject }
  | {
      readonly kind: "failed";
      readonly rule: Rule;
      /** The reader's error where the bytes cannot be read. */
      readonly cause: unknown;
    };

/** Says no by the first rule that does not hold. */
export function runLints<Context>(
  lints: readonly Lint<Context>[],
  tbs: Uint8Array,
  context: Context,
): LintVerdict {
  let subject: LintSubject;
  try {
    subject = readSubject(tbs);
  } catch (cause) {
    if (!(cause instanceof PortcullisError) || !isReaderCode(cause.code)) throw cause;
    return { kind: "failed", rule: readerRule(cause.code), cause };
  }
  const broken = lints.find((lint) => !lint.holds(subject, context));
  if (broken !== undefined) return { kind: "failed", rule: broken, cause: undefined };
  return { kind: "passed", subject };
}

function readSubject(bytes: Uint8Array): LintSubject {
  const tbs = parseTbs(bytes);
  const keyDigest = hash("sha256", tbs.spki, "buffer");
  return { tbs, key: parsePublicKey(tbs.spki), keyDigest, uri: splitUri(tbs.uris[0] ?? "") };
}

export function findExtension({ extensions }: TbsCertificate, oid: string): Extension | undefined {
  for (const each of extensions) if (each.oid === oid) return each;
  return undefined;
}

/** Bit of a named-bit mask (RFC 5280 4.2.1.3). */
export function hasUsage({ keyUsage }: TbsCertificate, position: number): boolean {
  return (keyUsage & (1 << position)) !== 0;
}
