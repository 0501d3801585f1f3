/** JSON whose every field is of the kind that it must be; whoever reads says in which error a TypeError ends. */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";

/** @throws TypeError, SyntaxError */
export function parseObject(text: string): JsonObject {
  return objectOf(JSON.parse(text), "a document");
}

/** @throws TypeError */
export function objectOf(value: unknown, what: string): JsonObject {
  if (!isJsonObject(value)) throw new TypeError(`expected ${what} to be an object`);
  return value;
}

/** @throws TypeError */
export function textOf(value: unknown, what: string, lengthMax: number): string {
  if (typeof value === "string" && value.length <= lengthMax && value.isWellFormed()) return value;
  throw new TypeError(`expected ${what} to be a text of at most ${lengthMax} characters`);
}

/** @throws TypeError */
export function countOf(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`expected ${what} to be a whole number`);
}

/** Base64 of exactly `length` octets. @throws TypeError */
export function octetsOf(value: unknown, what: string, length: number): Uint8Array {
  const octets = Buffer.from(textOf(value, what, 2 * length + 4), "base64");
  if (octets.length === length && octets.toString("base64") === value) return octets;
  throw new TypeError(`expected ${what} to be base64 of ${length} octets`);
}
