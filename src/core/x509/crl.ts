/**
 * Certificate revocation lists (RFC 5280 5.1), read strictly and as far as a CA has to know one that an operator
 * brings: whose it is, from when to when it holds, and that it is a whole one. It never says whether a certificate is
 * revoked: those who verify do that.
 */

import { verify } from "node:crypto";
import { PortcullisError } from "../error.ts";
import type { Certificate } from "./certificate.ts";
import { readDefaultFalse } from "./certificate-extensions.ts";
import { DerReader } from "./der.ts";
import { constructedContextTag, TAG } from "./der-tag.ts";
import { readTime } from "./der-time.ts";
import { readAlgorithmElement, readName } from "./pkix.ts";
import { KeyUsage } from "./profile.ts";
import { signatureDigest } from "./signature-digest.ts";

export type CrlErrorCode =
  | "crl-version-unsupported"
  | "crl-signature-algorithm-mismatch"
  | "crl-next-update-missing"
  | "crl-dates-inverted"
  | "crl-revoked-empty"
  | "crl-extension-duplicate"
  | "crl-extension-critical";

export class CrlError extends PortcullisError<CrlErrorCode> {
  override name = "CrlError";
}

/** Byte arrays are views of `der`. */
export interface Crl {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly issuerDer: Uint8Array;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** The CRL number; undefined in a list of version 1, as OpenSSL makes one by default. */
  readonly number: bigint | undefined;
  readonly entryCount: number;
  readonly signatureAlgorithmDer: Uint8Array;
  readonly signature: Uint8Array;
}

const CRL_NUMBER = "2.5.29.20";
const EXTENSIONS = constructedContextTag(0);

/** @throws CrlError, CertificateError, DerError */
export function parseCrl(der: Uint8Array): Crl {
  const list = DerReader.within(der, TAG.sequence);
  const start = list.position;
  const info = readTbs(list.enter(TAG.sequence));
  const tbs = list.since(start);
  const outerAlgorithmDer = readAlgorithmElement(list);
  const signature = list.readOctetAlignedBitString();
  list.expectEnd();
  if (Buffer.compare(info.signatureAlgorithmDer, outerAlgorithmDer) !== 0) {
    throw new CrlError(
      "crl-signature-algorithm-mismatch",
      "expected the same signature algorithm inside and outside (RFC 5280 5.1.1.2)",
    );
  }
  return Object.freeze({ der, tbs, signature, ...info });
}

/**
 * Whether a verifier takes `crl` for a list of this authority: its name, its signature, and its right to make one
 * (RFC 5280 6.3.3, f and g).
 */
export function isCrlSignedBy(crl: Crl, issuer: Certificate): boolean {
  if (Buffer.compare(crl.issuerDer, issuer.subjectDer) !== 0) return false;
  if ((issuer.keyUsage & (1 << KeyUsage.cRLSign)) === 0) return false;
  const { digest } = signatureDigest(crl.signatureAlgorithmDer);
  if (digest === undefined) return false;
  const key = { key: Buffer.from(issuer.spki), format: "der", type: "spki" } as const;
  try {
    return verify(digest, crl.tbs, key, crl.signature);
  } catch {
    // OpenSSL cannot read the key, so nobody has verified anything by it.
    return false;
  }
}

function readTbs(
  tbs: DerReader,
): Pick<
  Crl,
  "signatureAlgorithmDer" | "issuerDer" | "thisUpdateMs" | "nextUpdateMs" | "entryCount" | "number"
> {
  const isVersion2 = readIsVersion2(tbs);
  const signatureAlgorithmDer = readAlgorithmElement(tbs);
  const issuerDer = readName(tbs);
  const { thisUpdateMs, nextUpdateMs } = readUpdates(tbs);
  const entryCount = tbs.nextIs(TAG.sequence) ? countEntries(tbs.enter(TAG.sequence)) : 0;
  const extensions = tbs.atEnd ? undefined : tbs.enter(EXTENSIONS);
  const number = extensions && readNumber(extensions.enter(TAG.sequence));
  extensions?.expectEnd();
  tbs.expectEnd();
  if (extensions !== undefined && !isVersion2) {
    throw new CrlError("crl-version-unsupported", "expected version 2 of a CRL with extensions");
  }
  return { signatureAlgorithmDer, issuerDer, thisUpdateMs, nextUpdateMs, entryCount, number };
}

/** Absent means version 1; the INTEGER 1 means version 2. */
function readIsVersion2(tbs: DerReader): boolean {
  if (!tbs.nextIs(TAG.integer)) return false;
  const version = tbs.readInteger();
  if (version.length === 1 && version[0] === 1) return true;
  throw new CrlError("crl-version-unsupported", "expected a CRL of version 1 or 2");
}

/** RFC 5280 5.1.2.5 wants a nextUpdate: without it nobody knows that a newer list was held back. */
function readUpdates(tbs: DerReader): { thisUpdateMs: number; nextUpdateMs: number } {
  const thisUpdateMs = readTime(tbs);
  if (!tbs.nextIs(TAG.utcTime) && !tbs.nextIs(TAG.generalizedTime)) {
    throw new CrlError("crl-next-update-missing", "expected a nextUpdate (RFC 5280 5.1.2.5)");
  }
  const nextUpdateMs = readTime(tbs);
  if (nextUpdateMs >= thisUpdateMs) return { thisUpdateMs, nextUpdateMs };
  throw new CrlError("crl-dates-inverted", "expected nextUpdate not before thisUpdate");
}

function countEntries(entries: DerReader): number {
  if (entries.atEnd) {
    throw new CrlError("crl-revoked-empty", "expected no list of entries rather than an empty one");
  }
  let count = 0;
  while (!entries.atEnd) {
    const entry = entries.enter(TAG.sequence);
    entry.readInteger();
    readTime(entry);
    if (!entry.atEnd) readExtensions(entry.enter(TAG.sequence));
    entry.expectEnd();
    count++;
  }
  return count;
}

function readNumber(list: DerReader): bigint | undefined {
  const value = readExtensions(list).get(CRL_NUMBER);
  if (value === undefined) return undefined;
  const reader = DerReader.over(value);
  const contents = reader.readInteger();
  reader.expectEnd();
  return BigInt.asIntN(contents.length * 8, BigInt(`0x${Buffer.from(contents).toString("hex")}`));
}

/**
 * What is critical says that the list is not a whole one of its issuer's own certificates (RFC 5280 5.2.4, 5.2.5,
 * 5.3.3), and verifiers that need a whole one refuse it.
 */
function readExtensions(list: DerReader): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  while (!list.atEnd) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.readOid();
    const critical = readDefaultFalse(extension);
    const value = extension.readContents(TAG.octetString);
    extension.expectEnd();
    if (critical) {
      throw new CrlError("crl-extension-critical", `expected no critical extension, got ${oid}`);
    }
    if (values.has(oid)) {
      throw new CrlError("crl-extension-duplicate", `expected extension ${oid} once`);
    }
    values.set(oid, value);
  }
  return values;
}
