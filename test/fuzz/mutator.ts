/** Damage by a seed: to octets, to words and numbers of a text, to lengths and trees of DER. */

import { concat } from "../support/der.ts";
import { mutate as mutateDer, type Random } from "../support/mutate.ts";
import type { FuzzTarget } from "./target.ts";

/** More than any limit of ours on what a stranger sends but the batch's. */
export const INPUT_BYTES_MAX = 65_536;
const TELLING_OCTETS = [0, 1, 0x0a, 0x20, 0x22, 0x2e, 0x2f, 0x30, 0x7f, 0x80, 0x81, 0xc0, 0xff];
const NUMBERS = "0 1 -1 00 2147483648 4294967296 9007199254740993 18446744073709551616 1e9 1.5";
const telling = NUMBERS.split(" ").map((each) => Buffer.from(each));

type Damage = (input: Uint8Array, random: Random) => Uint8Array;

/** @param other another input, of which parts may be taken */
export function damage(
  input: Uint8Array,
  { shape, dictionary }: Pick<FuzzTarget, "shape" | "dictionary">,
  other: Uint8Array,
  random: Random,
): Uint8Array {
  const kinds: Damage[] = [...octets, (each, chance) => splice(each, other, chance)];
  if (dictionary.length > 0) kinds.push(word(dictionary), word(dictionary));
  if (shape === "text") kinds.push(number, number, line);
  if (shape === "der") kinds.push(derLength, ...Array<Damage>(kinds.length).fill(mutateDer));
  let damaged = input;
  // Mostly one wound, so that what is behind it is still read.
  for (let left = 1 << random(1 + random(4)); left > 0; left--) {
    damaged = pick(kinds, random)(damaged, random);
  }
  return damaged.subarray(0, INPUT_BYTES_MAX);
}

const octets: readonly Damage[] = [
  (input, random) => replace(input, random, 1, (old) => [(old ?? 0) ^ (1 << random(8))]),
  (input, random) => replace(input, random, 1, () => [octet(random)]),
  (input, random) => replace(input, random, 0, () => some(random)),
  (input, random) => replace(input, random, 1 + random(16), () => []),
  (input, random) => input.subarray(0, random(input.length + 1)),
  repeat,
];

function replace(
  input: Uint8Array,
  random: Random,
  span: number,
  by: (old: number | undefined) => readonly number[] | Uint8Array,
): Uint8Array {
  const at = random(input.length + 1);
  return concat(input.subarray(0, at), Uint8Array.from(by(input[at])), input.subarray(at + span));
}

/** Now and then very often: quadratic work is found by length. */
function repeat(input: Uint8Array, random: Random): Uint8Array {
  const at = random(input.length + 1);
  const span = input.subarray(at, at + 1 + random(32));
  const times = random(40) === 0 ? 1 + random(4_000) : 1 + random(3);
  const copies = Array.from(
    { length: Math.min(times, INPUT_BYTES_MAX / (span.length + 1)) },
    () => span,
  );
  return concat(input.subarray(0, at), ...copies, input.subarray(at));
}

function splice(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const start = random(other.length + 1);
  const part = other.subarray(start, start + 1 + random(64));
  const tail = random(2) === 0 ? other.subarray(start) : part;
  return replace(input, random, random(2) * part.length, () => tail);
}

function word(dictionary: readonly string[]): Damage {
  return (input, random) => {
    const chosen = Buffer.from(pick(dictionary, random));
    return replace(input, random, random(2) * chosen.length, () => chosen);
  };
}

function number(input: Uint8Array, random: Random): Uint8Array {
  const numbers = [...Buffer.from(input).toString("latin1").matchAll(/\d+/g)];
  const chosen = numbers[random(Math.max(1, numbers.length))];
  if (chosen === undefined) return input;
  const end = chosen.index + chosen[0].length;
  return concat(input.subarray(0, chosen.index), pick(telling, random), input.subarray(end));
}

/** Lines change places, go, or come twice. */
function line(input: Uint8Array, random: Random): Uint8Array {
  const lines = Buffer.from(input).toString("latin1").split("\n");
  const [moved = ""] = lines.splice(random(lines.length), 1);
  for (let copies = random(3); copies > 0; copies--) {
    lines.splice(random(lines.length + 1), 0, moved);
  }
  return Uint8Array.from(Buffer.from(lines.join("\n"), "latin1"));
}

/** Another length, or the same in another form: indefinite, not minimal, beyond the end. */
function derLength(input: Uint8Array, random: Random): Uint8Array {
  let at = 0;
  // Down into what is constructed, or on to what comes next.
  for (let steps = random(12); steps > 0 && at + 2 < input.length; steps--) {
    const length = input[at + 1] ?? 0;
    const isDeeper = ((input[at] ?? 0) & 0x20) !== 0 || length >= 0x80;
    at += 2 + (length >= 0x80 ? length & 0x7f : isDeeper ? 0 : length);
  }
  const length = input[at + 1] ?? 0;
  const huge = [0x84, 0xff, 0xff, 0xff, 0xff];
  const forms = [[length + 1], [length - 1], [0x80], [0x81, length], [0x82, 0, length], huge];
  return concat(
    input.subarray(0, at + 1),
    Uint8Array.from(pick(forms, random)),
    input.subarray(at + 2),
  );
}

function octet(random: Random): number {
  return random(2) === 0 ? random(256) : pick(TELLING_OCTETS, random);
}

function some(random: Random): number[] {
  return Array.from({ length: 1 + random(4) }, () => octet(random));
}

function pick<T>(list: readonly T[], random: Random): T {
  const chosen = list[random(list.length)];
  if (chosen === undefined) throw new RangeError("expected a list with something in it");
  return chosen;
}
