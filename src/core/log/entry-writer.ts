/** Writes the parts of entries; what it refuses, no reader would take. */

import { ENTRY_BYTES_MAX, isUuid, malformed, UUID_BYTES, UUID_FOLLOWS } from "./entry-wire.ts";

export class EntryWriter {
  readonly #bytes = Buffer.alloc(ENTRY_BYTES_MAX);
  #at = 0;

  /** Starts over; what was finished before stays. */
  reset(): void {
    this.#at = 0;
  }

  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#at));
  }

  /** @param octets 1 to 6 */
  integer(field: string, value: number, octets: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 256 ** octets) {
      throw malformed(field, `a whole number of ${octets} octets`, String(value));
    }
    this.#bytes.writeUIntBE(value, this.#room(octets), octets);
  }

  /** @param prefixOctets how long the length is; 0 for a field whose length needs no saying */
  octets(field: string, value: Uint8Array, prefixOctets: 0 | 1 | 2): void {
    if (prefixOctets > 0) this.integer(field, value.length, prefixOctets);
    this.#bytes.set(value, this.#room(value.length));
  }

  /** UTF-8 after a length of two octets. */
  text(field: string, value: string, octetsMax: number): void {
    const length = lengthOf(field, value, octetsMax);
    this.integer(field, length, 2);
    this.#bytes.write(value, this.#room(length), "utf8");
  }

  /** UTF-8 of up to 254 octets, or a UUID. */
  name(field: string, value: string): void {
    if (isUuid(value)) {
      this.integer(field, UUID_FOLLOWS, 1);
      this.#bytes.write(value.replaceAll("-", ""), this.#room(UUID_BYTES), "hex");
      return;
    }
    const length = lengthOf(field, value, UUID_FOLLOWS - 1);
    this.integer(field, length, 1);
    this.#bytes.write(value, this.#room(length), "utf8");
  }

  /** The octet of a value is its place in the list, from 1. */
  choice<T extends string>(field: string, value: T, choices: readonly T[]): void {
    const place = choices.indexOf(value);
    if (place < 0) throw malformed(field, choices.join(" or "), value);
    this.integer(field, place + 1, 1);
  }

  #room(octets: number): number {
    // The limits of its fields leave no entry longer than the buffer; a test holds it.
    const at = this.#at;
    this.#at += octets;
    return at;
  }
}

function lengthOf(field: string, text: string, octetsMax: number): number {
  if (!text.isWellFormed()) throw malformed(field, "text", "half of a surrogate pair");
  const length = Buffer.byteLength(text);
  if (length > octetsMax) throw malformed(field, `at most ${octetsMax} octets`, `${length}`);
  return length;
}
