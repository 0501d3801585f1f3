/**
 * Readers of what YAML or JSON has: each gives a value of its type whatever comes, and says at its place what is wrong. Hand-made,
 * because one pass has to give values, all errors, the words that were meant, and the fields that are of no effect here.
 */

import { didYouMean } from "../config/nearest-match.ts";
import { isJsonMap, type Json } from "./manifest.ts";
import { shown, type Place } from "./place.ts";

export type Reader<T> = (value: Json, place: Place) => T;

/** Of a field that may be left out; null is left out, as in Kubernetes. */
export type FieldReader<T> = (value: Json | undefined, place: Place) => T;

export function optional<T, const U>(read: Reader<T>, absent: U): FieldReader<T | U> {
  return (value, place) => (isAbsent(value) ? absent : read(value, place));
}

/** @param standIn in its place where it is missing */
export function required<T>(read: Reader<T>, standIn: T): FieldReader<T> {
  return (value, place) => {
    if (!isAbsent(value)) return read(value, place);
    place.refuse("expected a value, got nothing", "", "missing-field");
    return standIn;
  };
}

export const text: Reader<string> = (value, place) => {
  if (typeof value === "string") return value;
  const isScalar = typeof value === "number" || typeof value === "boolean";
  place.refuse(`expected a text, got ${shown(value)}`, isScalar ? `write "${value}"` : "");
  return "";
};

/** @param what of the value, for messages; @param pattern of all of it */
export function textLike(what: string, pattern: RegExp, lengthMax: number): Reader<string> {
  return (value, place) => {
    const written = text(value, place);
    if (typeof value !== "string") return written;
    if (written.length > lengthMax || !pattern.test(written)) {
      place.refuse(`expected ${what}, got ${shown(written)}`);
    }
    return written;
  };
}

export function integer(what: string, min: number, max: number): Reader<number> {
  return (value, place) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    const isQuoted = typeof value === "string" && /^\d+$/.test(value);
    place.refuse(`expected ${what}, got ${shown(value)}`, isQuoted ? `without quotes` : "");
    return min;
  };
}

export const flag: Reader<boolean> = (value, place) => {
  if (typeof value === "boolean") return value;
  place.refuse(`expected true or false, got ${shown(value)}`);
  return false;
};

export function oneOf<const Word extends string>(words: readonly [Word, ...Word[]]): Reader<Word> {
  return (value, place) => {
    const word = words.find((each) => each === value);
    if (word !== undefined) return word;
    const near = typeof value === "string" ? didYouMean(value, words) : "";
    place.refuse(`expected one of ${words.join(", ")}, got ${shown(value)}${near}`);
    return words[0];
  };
}

export function list<T>(read: Reader<T>, lengthMax: number): Reader<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) {
      place.refuse(`expected a list, got ${shown(value)}`);
      return [];
    }
    if (value.length > lengthMax) {
      place.refuse(`expected at most ${lengthMax} entries, got ${value.length}`);
      return [];
    }
    return value.map((each: Json, index) => read(each, place.child(index)));
  };
}

/** A mapping whose keys are data. */
export function entries<K, T>(
  readKey: Reader<K>,
  read: Reader<T>,
  sizeMax: number,
): Reader<ReadonlyMap<K, T>> {
  return (value, place) => {
    if (!isJsonMap(value)) {
      place.refuse(`expected a mapping, got ${shown(value)}`);
      return new Map();
    }
    const all = Object.entries(value);
    if (all.length > sizeMax) {
      place.refuse(`expected at most ${sizeMax} entries, got ${all.length}`);
      return new Map();
    }
    return new Map(
      all.map(([key, each]) => {
        const at = place.child(key);
        return [readKey(key, at), read(each, at)] as const;
      }),
    );
  };
}

type Shape = Readonly<Record<string, FieldReader<unknown>>>;

type Fields<S extends Shape> = { readonly [Key in keyof S]: ReturnType<S[Key]> };

/**
 * A mapping with fields of these names and no others.
 * @param idle known to Istio, and without effect here: said, and taken
 */
export function fields<const S extends Shape>(
  shape: S,
  idle: readonly string[] = [],
): Reader<Fields<S>> {
  const known = [...Object.keys(shape), ...idle];
  return (value, place) => {
    const map = isJsonMap(value) ? value : {};
    // What it lacks then is not what is wrong with it.
    const inner = isJsonMap(value) ? place : place.apart();
    if (!isJsonMap(value)) place.refuse(`expected a mapping, got ${shown(value)}`);
    for (const [key, each] of Object.entries(map)) {
      if (Object.hasOwn(shape, key)) continue;
      const at = place.child(key);
      if (!idle.includes(key)) {
        at.refuse(
          `expected a known field, got ${shown(key)}${didYouMean(key, known)}`,
          "",
          "unknown-field",
        );
      } else if (!isAbsent(each)) {
        at.warn("field-without-effect", `${key} is without effect here`);
      }
    }
    const read = Object.entries(shape).map(([key, field]) => {
      return [key, field(Object.hasOwn(map, key) ? map[key] : undefined, inner.child(key))];
    });
    return Object.fromEntries(read) as Fields<S>;
  };
}

function isAbsent(value: Json | undefined): value is null | undefined {
  return value === undefined || value === null;
}
