/**
 * DER encoding (X.690) of the few types that a certificate has. It shares nothing with the reader in der.ts: what
 * we sign is read back by code that cannot repeat the writer's mistake.
 */

const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** One element with the given tag octet; the length is in its shortest form (X.690 10.1). */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthOctets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3;
  const out = Buffer.allocUnsafe(2 + lengthOctets + length);
  out[0] = tag;
  if (lengthOctets === 0) out[1] = length;
  else {
    out[1] = 0x80 | lengthOctets;
    out.writeUIntBE(length, 2, lengthOctets);
  }
  let offset = 2 + lengthOctets;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array =>
  tlv(Tag.sequence, ...parts);

export const set = (...parts: readonly Uint8Array[]): Uint8Array => tlv(Tag.set, ...parts);

export const octetString = (...parts: readonly Uint8Array[]): Uint8Array =>
  tlv(Tag.octetString, ...parts);

/** A BIT STRING whose length is a multiple of eight. */
export const bitString = (bytes: Uint8Array): Uint8Array =>
  tlv(Tag.bitString, Uint8Array.of(0), bytes);

export const utf8String = (text: string): Uint8Array => tlv(Tag.utf8String, Buffer.from(text));

export const booleanTrue: Uint8Array = Uint8Array.of(Tag.boolean, 1, 0xff);

/** `[number]` with constructed content, as EXPLICIT tagging makes it. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  tlv(0xa0 | number, ...parts);

/** `[number]` with primitive content, as IMPLICIT tagging of a string makes it. */
export const implicit = (number: number, bytes: Uint8Array): Uint8Array =>
  tlv(0x80 | number, bytes);

/** A non-negative INTEGER from its magnitude, in the shortest form (X.690 8.3.2). */
export function unsignedInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const shortest = magnitude.subarray(start);
  const signOctet = (shortest[0] ?? 0) >= 0x80 || shortest.length === 0;
  return signOctet ? tlv(Tag.integer, Uint8Array.of(0), shortest) : tlv(Tag.integer, shortest);
}

/** A named-bit-list BIT STRING: trailing zero bits are dropped (X.690 11.2.2). */
export function namedBits(bits: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...bits);
  const bytes = new Uint8Array(Math.floor(highest / 8) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return tlv(Tag.bitString, Uint8Array.of(bytes.length === 0 ? 0 : 7 - (highest & 7)), bytes);
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tlv(Tag.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** UTCTime until 2049 and GeneralizedTime from 2050 on (RFC 5280 4.1.2.5); milliseconds are cut off. */
export function time(unixMs: number): Uint8Array {
  const digits = new Date(unixMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return Number(digits.slice(0, 4)) < 2050
    ? tlv(Tag.utcTime, Buffer.from(digits.slice(2), "latin1"))
    : tlv(Tag.generalizedTime, Buffer.from(digits, "latin1"));
}

function base128(arc: number): number[] {
  const septets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    septets.unshift(0x80 | (rest % 128));
  }
  return septets;
}
