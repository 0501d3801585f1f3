/**
 * Values of the certificate extensions (RFC 5280 4.2.1) that decide whom a certificate names and
 * what it may do. Each function takes the contents of `extnValue` and accepts one DER encoding of
 * each value.
 */

import { CertificateError } from "./certificate-error.ts";
import { DerReader } from "./der.ts";
import { constructedContextTag, primitiveContextTag, TAG } from "./der-tag.ts";

export interface SubjectAltName {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** 4 or 16 octets each. */
  readonly ipAddresses: readonly Uint8Array[];
  /** Entries of all other types, which nobody here looks into. */
  readonly otherNameCount: number;
}

const DECIPHER_ONLY = 8;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

const GENERAL_NAME = {
  dnsName: primitiveContextTag(2),
  uri: primitiveContextTag(6),
  ipAddress: primitiveContextTag(7),
} as const;

/**
 * otherName, rfc822Name, x400Address, directoryName, ediPartyName, registeredID (RFC 5280 4.2.1.6).
 */
const OTHER_GENERAL_NAMES: ReadonlySet<number> = new Set([
  constructedContextTag(0),
  primitiveContextTag(1),
  constructedContextTag(3),
  constructedContextTag(4),
  constructedContextTag(5),
  primitiveContextTag(8),
]);

/** RFC 5280 4.2.1.6. */
export function parseSubjectAltName(value: Uint8Array): SubjectAltName {
  const names = DerReader.within(value, TAG.sequence);
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: Uint8Array[] = [];
  let otherNameCount = 0;
  if (names.atEnd) throw sanInvalid("at least one name, got none");
  while (!names.atEnd) {
    const tag = names.peekTag();
    if (tag === GENERAL_NAME.uri) {
      uris.push(visibleText(names.readContents(tag)));
    } else if (tag === GENERAL_NAME.dnsName) {
      dnsNames.push(visibleText(names.readContents(tag)));
    } else if (tag === GENERAL_NAME.ipAddress) {
      ipAddresses.push(ipAddress(names.readContents(tag)));
    } else if (OTHER_GENERAL_NAMES.has(tag)) {
      names.skip();
      otherNameCount++;
    } else {
      throw sanInvalid(`a GeneralName, got tag ${tag}`);
    }
  }
  return {
    uris: Object.freeze(uris),
    dnsNames: Object.freeze(dnsNames),
    ipAddresses: Object.freeze(ipAddresses),
    otherNameCount,
  };
}

/**
 * RFC 5280 4.2.1.3; the encoding of named bits is X.690 11.2.2.
 *
 * @returns a mask in which named bit n is `1 << n`
 */
export function parseKeyUsage(value: Uint8Array): number {
  const reader = DerReader.over(value);
  const contents = reader.readContents(TAG.bitString);
  reader.expectEnd();
  const unusedBits = contents[0] ?? 0;
  const first = contents[1] ?? 0;
  const second = contents[2] ?? 0;
  const last = contents.length === 3 ? second : first;
  // The last bit in use must be set and all behind it clear.
  const isMinimal = unusedBits < 8 && last !== 0 && 31 - Math.clz32(last & -last) === unusedBits;
  if (contents.length > 3 || !isMinimal || (second & 0x7f) !== 0) {
    throw new CertificateError(
      "certificate-key-usage-invalid",
      "expected a KeyUsage with at least one of nine bits, minimally encoded",
    );
  }
  let usage = second === 0 ? 0 : 1 << DECIPHER_ONLY;
  for (let bit = 0; bit < 8; bit++) if ((first & (0x80 >> bit)) !== 0) usage |= 1 << bit;
  return usage;
}

/** RFC 5280 4.2.1.12: at least one purpose. */
export function parseExtendedKeyUsage(value: Uint8Array): readonly string[] {
  const reader = DerReader.within(value, TAG.sequence);
  const purposes: string[] = [];
  while (!reader.atEnd) purposes.push(reader.readOid());
  if (purposes.length === 0) {
    throw new CertificateError(
      "certificate-extended-key-usage-invalid",
      "expected at least one extended key usage, got none",
    );
  }
  return Object.freeze(purposes);
}

export interface BasicConstraints {
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
}

/** RFC 5280 4.2.1.9. */
export function parseBasicConstraints(value: Uint8Array): BasicConstraints {
  const reader = DerReader.within(value, TAG.sequence);
  const isCa = readDefaultFalse(reader);
  const pathLength = reader.atEnd ? undefined : smallNumber(reader.readInteger());
  reader.expectEnd();
  if (pathLength !== undefined && !isCa) {
    throw new CertificateError(
      "certificate-basic-constraints-invalid",
      "expected a path length only where cA is true",
    );
  }
  return { isCa, pathLength };
}

/** RFC 5280 4.2.1.2. */
export function parseSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  const reader = DerReader.over(value);
  const identifier = reader.readContents(TAG.octetString);
  reader.expectEnd();
  return nonEmptyIdentifier(identifier);
}

/**
 * RFC 5280 4.2.1.1.
 *
 * @returns the key identifier, if there is one
 */
export function parseAuthorityKeyIdentifier(value: Uint8Array): Uint8Array | undefined {
  const reader = DerReader.within(value, TAG.sequence);
  const identifier = reader.nextIs(primitiveContextTag(0))
    ? nonEmptyIdentifier(reader.readContents(primitiveContextTag(0)))
    : undefined;
  // Issuer and serial come together or not at all.
  if (!reader.atEnd) {
    reader.enter(constructedContextTag(1)).skipAll();
    reader.readInteger(primitiveContextTag(2));
  }
  reader.expectEnd();
  return identifier;
}

/** X.690 11.5: DER never spells out a default. */
export function readDefaultFalse(reader: DerReader): boolean {
  if (!reader.nextIs(TAG.boolean)) return false;
  if (!reader.readBoolean()) {
    throw new CertificateError("certificate-default-encoded", "expected no explicit FALSE in DER");
  }
  return true;
}

/**
 * IA5String without controls and spaces: a NUL in a name has fooled verifiers that were written in
 * C.
 */
function visibleText(contents: Uint8Array): string {
  const view = Buffer.from(contents.buffer, contents.byteOffset, contents.length);
  const text = view.toString("latin1");
  if (!VISIBLE_ASCII.test(text)) throw sanInvalid("a name of visible ASCII characters");
  return text;
}

function ipAddress(contents: Uint8Array): Uint8Array {
  if (contents.length !== 4 && contents.length !== 16) {
    throw sanInvalid(`an IP address of 4 or 16 octets, got ${contents.length}`);
  }
  return contents;
}

function smallNumber(contents: Uint8Array): number {
  const value = contents[0] ?? 0x80;
  if (contents.length !== 1 || value >= 0x80) {
    throw new CertificateError(
      "certificate-basic-constraints-invalid",
      "expected a path length from 0 to 127",
    );
  }
  return value;
}

function nonEmptyIdentifier(identifier: Uint8Array): Uint8Array {
  if (identifier.length === 0) {
    throw new CertificateError(
      "certificate-key-identifier-invalid",
      "expected a key identifier, got an empty one",
    );
  }
  return identifier;
}

function sanInvalid(expected: string): CertificateError {
  return new CertificateError("certificate-san-invalid", `expected ${expected}`);
}
