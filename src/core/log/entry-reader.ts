/** Reads the parts of entries: accepts what the writer writes, and nothing else. */

import { isUtf8 } from "node:buffer";
import { ENTRY_BYTES_MAX, isUuid, malformed, UUID_BYTES, UUID_FOLLOWS } from "./entry-wire.ts";
import { LogError } from "./log-error.ts";

const REPLACEMENT_CHARACTER = "\ufffd";

export class EntryReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.length > ENTRY_BYTES_MAX) {
      throw new LogError(
        "log-entry-too-large",
        `expected an entry of at most ${ENTRY_BYTES_MAX} octets, got ${bytes.length}`,
      );
    }
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  expectEnd(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw malformed("entry", "its end", `${rest} octets more`);
  }

  integer(field: string, octets: number): number {
    return this.#bytes.readUIntBE(this.#take(field, octets), octets);
  }

  /** A copy: what is kept of an entry must not keep what it was read from. */
  octets(field: string, length: number): Uint8Array {
    const at = this.#take(field, length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  hex(field: string, length: number): string {
    const at = this.#take(field, length);
    return this.#bytes.toString("hex", at, at + length);
  }

  text(field: string, octetsMax: number): string {
    const length = this.integer(field, 2);
    if (length > octetsMax) throw malformed(field, `at most ${octetsMax} octets`, `${length}`);
    return this.#utf8(field, length);
  }

  name(field: string): string {
    const length = this.integer(field, 1);
    if (length === UUID_FOLLOWS) {
      const hex = this.hex(field, UUID_BYTES);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    }
    const text = this.#utf8(field, length);
    if (isUuid(text)) throw malformed(field, "a UUID in 16 octets", "in text");
    return text;
  }

  choice<T extends string>(field: string, choices: readonly T[]): T {
    const octet = this.integer(field, 1);
    const value = choices[octet - 1];
    if (value === undefined) throw malformed(field, `1 to ${choices.length}`, `${octet}`);
    return value;
  }

  #utf8(field: string, length: number): string {
    const at = this.#take(field, length);
    const text = this.#bytes.toString("utf8", at, at + length);
    // Bad UTF-8 is replaced, so only a text with the replacement needs a closer look.
    if (text.includes(REPLACEMENT_CHARACTER) && !isUtf8(this.#bytes.subarray(at, at + length))) {
      throw malformed(field, "UTF-8", "other octets");
    }
    return text;
  }

  #take(field: string, octets: number): number {
    const at = this.#at;
    if (at + octets > this.#bytes.length) {
      throw malformed(field, `${octets} octets`, `${this.#bytes.length - at} to the end`);
    }
    this.#at += octets;
    return at;
  }
}
