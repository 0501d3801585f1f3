/**
 * A small DER writer for tests. It writes what it is told, right or wrong: readers are tested with
 * what no honest encoder makes, and with an encoder that is not the one that production uses.
 */

export function tlv(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return concat(Uint8Array.of(tag, ...lengthOctets(length)), ...contents);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function sequence(...contents: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, ...contents);
}

export function set(...contents: readonly Uint8Array[]): Uint8Array {
  return tlv(0x31, ...contents);
}

/** `[n]` over a constructed encoding. */
export function explicit(tagNumber: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return tlv(0xa0 | tagNumber, ...contents);
}

/** Two's complement, minimal. */
export function integer(value: bigint): Uint8Array {
  let octets = 1;
  while (BigInt.asIntN(octets * 8, value) !== value) octets++;
  const hex = BigInt.asUintN(octets * 8, value).toString(16);
  return tlv(0x02, fromHex(hex.padStart(octets * 2, "0")));
}

export function boolean(value: boolean): Uint8Array {
  return tlv(0x01, Uint8Array.of(value ? 0xff : 0));
}

export function octetString(contents: Uint8Array): Uint8Array {
  return tlv(0x04, contents);
}

export function bitString(contents: Uint8Array, unusedBits = 0): Uint8Array {
  return tlv(0x03, Uint8Array.of(unusedBits), contents);
}

export function nullValue(): Uint8Array {
  return tlv(0x05);
}

export function text(tag: number, value: string): Uint8Array {
  return tlv(tag, Uint8Array.from(Buffer.from(value, "latin1")));
}

export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift((left % 128) | 0x80);
    }
    return digits;
  });
  return tlv(0x06, Uint8Array.from(octets));
}

/** A Name of one attribute, the common name. */
export function commonName(value: string): Uint8Array {
  return sequence(set(sequence(oid("2.5.4.3"), text(0x0c, value))));
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256);
  return [0x80 | octets.length, ...octets];
}
