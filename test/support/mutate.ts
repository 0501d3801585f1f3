/**
 * Damages DER, by a seed. Half of the mutants are damaged bytes, which mostly break a length; the
 * others are damaged trees, written again with right lengths, which get past the outer layers of a
 * reader.
 */

import { concat, tlv } from "./der.ts";

/** A whole number from 0 up to, not including, `below`. */
export type Random = (below: number) => number;

/** mulberry32: small, seeded, good enough to choose damage. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function mutate(der: Uint8Array, random: Random): Uint8Array {
  return random(2) === 0 ? mutateBytes(der, random) : mutateTree(der, random);
}

const TELLING_OCTETS = [
  0x00, 0x01, 0x02, 0x04, 0x1f, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff,
];

function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length + 1);
  const before = bytes.subarray(0, at);
  const span = 1 + random(4);
  switch (random(6)) {
    case 0:
      return before;
    case 1:
      return concat(before, randomOctets(span, random), bytes.subarray(at));
    case 2:
      return concat(before, bytes.subarray(at + span));
    case 3:
      return concat(bytes.subarray(0, at + span), bytes.subarray(at));
    case 4:
      return concat(before, randomOctets(1, random), bytes.subarray(at + 1));
    default: {
      const flipped = (bytes[at] ?? 0) ^ (1 << random(8));
      return concat(before, Uint8Array.of(flipped), bytes.subarray(at + 1));
    }
  }
}

/** Changes a list of elements, or one element somewhere below it. */
function mutateTree(list: Uint8Array, random: Random): Uint8Array {
  const elements = split(list);
  const chosen = random(elements.length);
  const element = elements[chosen];
  if (element === undefined) return mutateBytes(list, random);
  if (random(5) > 0) elements[chosen] = mutateElement(element, random);
  else if (random(3) === 0) elements.splice(chosen, 1);
  else elements.splice(random(elements.length), 0, element);
  return concat(...elements.map(({ tag, contents }) => tlv(tag, contents)));
}

function mutateElement({ tag, contents }: Element, random: Random): Element {
  if (random(12) === 0) return { tag: randomOctets(1, random)[0] ?? 0, contents };
  const isConstructed = (tag & 0x20) !== 0;
  return {
    tag,
    contents: isConstructed ? mutateTree(contents, random) : mutateBytes(contents, random),
  };
}

interface Element {
  readonly tag: number;
  readonly contents: Uint8Array;
}

/** Reads DER that is known to be good. */
function split(list: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < list.length;) {
    const tag = list[at] ?? 0;
    let length = list[at + 1] ?? 0;
    let start = at + 2;
    if (length >= 0x80) {
      const octets = list.subarray(start, start + (length & 0x7f));
      length = octets.reduce((value, octet) => value * 256 + octet, 0);
      start += octets.length;
    }
    at = start + length;
    elements.push({ tag, contents: list.subarray(start, at) });
  }
  return elements;
}

function randomOctets(length: number, random: Random): Uint8Array {
  return Uint8Array.from({ length }, () =>
    random(2) === 0 ? random(256) : (TELLING_OCTETS[random(TELLING_OCTETS.length)] ?? 0),
  );
}
