/** The small values of a stored trust state, read strictly. Each throws TypeError, which `trust-state-codec.ts` catches. */

export function parseList(value: unknown, max: number = Infinity): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) throw unexpected(`a list of at most ${max}`);
  return value;
}

export function parseText(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value))
    throw unexpected(`text like ${pattern.source}`);
  return value;
}

/** Milliseconds since 1970. */
export function parseTime(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw unexpected("milliseconds");
}

export function parseBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw unexpected("true or false");
  return value;
}

/** Lower-case hex of a subject key identifier. */
export function parseKeyId(value: unknown): string {
  return parseText(value, /^[0-9a-f]{2,64}$/);
}

export function assertEachOnce(texts: readonly string[]): void {
  if (new Set(texts).size !== texts.length) throw unexpected("each once");
}

/** Buffer.from skips what is no base64: only what is written the same way again was read whole. */
export function parseBytes(value: unknown): Uint8Array {
  const text = parseText(value, /^./);
  const der = new Uint8Array(Buffer.from(text, "base64"));
  if (base64(der) !== text) throw unexpected("base64");
  return der;
}

export function parseDigest(value: unknown): Uint8Array {
  const digest = parseBytes(value);
  if (digest.length !== 32) throw unexpected("a digest of 32 octets");
  return digest;
}

/** @returns the one of them that it is */
export function parseOneOf<Known extends string>(value: unknown, known: readonly Known[]): Known {
  const found = known.find((each) => each === value);
  if (found === undefined) throw unexpected(`one of ${known.join(", ")}`);
  return found;
}

export function unexpected(expected: string): TypeError {
  return new TypeError(`expected ${expected}`);
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
