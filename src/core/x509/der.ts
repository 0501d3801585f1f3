/**
 * A strict reader of DER (X.690 10 and 11) for bytes that strangers send: definite and minimal
 * lengths, low tag numbers, minimal integers, bounded nesting. It walks a cursor over one array and
 * copies nothing: what it returns are views. It accepts an encoding or throws `DerError`; it never
 * guesses, repairs or skips over what it did not check.
 */

import { DerError } from "./der-error.ts";
import { decodeOid } from "./der-oid.ts";
import { TAG } from "./der-tag.ts";

/** A certificate with a deep name needs 8; a stack frame per level must stay cheap. */
const DEPTH_MAX = 16;
const CONSTRUCTED = 0x20;
const HIGH_TAG_NUMBER = 0x1f;

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #at: number;

  private constructor(bytes: Uint8Array, start: number, end: number, depth: number) {
    if (depth > DEPTH_MAX) {
      throw new DerError("der-too-deep", `expected at most ${DEPTH_MAX} nested levels of DER`);
    }
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = depth;
  }

  /** Reads a series of elements. */
  static over(bytes: Uint8Array): DerReader {
    return new DerReader(bytes, 0, bytes.length, 0);
  }

  /** Reads the contents of the one element that `bytes` must be. */
  static within(bytes: Uint8Array, tag: number): DerReader {
    const outer = DerReader.over(bytes);
    const inner = outer.enter(tag);
    outer.expectEnd();
    return inner;
  }

  /** Where the next element starts, as an offset into the bytes that were given. */
  get position(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  nextIs(tag: number): boolean {
    return this.#at < this.#end && this.#bytes[this.#at] === tag;
  }

  /** The identifier octet of the next element, for a choice among several. */
  peekTag(): number {
    if (this.atEnd) throw this.#truncated();
    return this.#octet(this.#at);
  }

  expectEnd(): void {
    if (this.#at !== this.#end) {
      throw new DerError(
        "der-trailing-bytes",
        `expected the end of an element, got ${this.#end - this.#at} bytes more`,
      );
    }
  }

  /**
   * Steps over an element and gives a reader of its contents; the caller ends with `expectEnd` on
   * it.
   */
  enter(tag: number): DerReader {
    const end = this.#open(tag);
    const inner = new DerReader(this.#bytes, this.#at, end, this.#depth + 1);
    this.#at = end;
    return inner;
  }

  /** The contents octets of an element, which are not looked at. */
  readContents(tag: number): Uint8Array {
    const end = this.#open(tag);
    const contents = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return contents;
  }

  /** Everything from a former `position` up to here, identifier and length octets included. */
  since(position: number): Uint8Array {
    return this.#bytes.subarray(position, this.#at);
  }

  /** Steps over one element of any type, having checked the shape of all that it contains. */
  skip(): void {
    const tag = this.peekTag();
    const isConstructed = (tag & CONSTRUCTED) !== 0;
    const number = tag & HIGH_TAG_NUMBER;
    // Of the universal types exactly SEQUENCE and SET are constructed in DER (X.690 10.2).
    const isUniversal = tag < 0x40;
    if (isUniversal && (number === 0 || isConstructed !== (number === 16 || number === 17))) {
      throw this.#tagInvalid(tag);
    }
    if (isConstructed) this.enter(tag).skipAll();
    else this.#skipPrimitive(tag);
  }

  /** Steps over everything that is left, as `skip` does. */
  skipAll(): void {
    while (!this.atEnd) this.skip();
  }

  readBoolean(): boolean {
    const contents = this.readContents(TAG.boolean);
    const value = contents[0];
    if (contents.length !== 1 || (value !== 0x00 && value !== 0xff)) {
      throw new DerError("der-boolean-invalid", "expected a BOOLEAN of one octet, 00 or ff");
    }
    return value === 0xff;
  }

  /**
   * The contents octets of a minimally encoded INTEGER (X.690 8.3.2): big-endian two's complement.
   */
  readInteger(tag: number = TAG.integer): Uint8Array {
    const contents = this.readContents(tag);
    const first = contents[0];
    const second = contents[1];
    const redundant =
      second !== undefined &&
      ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (first === undefined || redundant) {
      throw new DerError("der-integer-invalid", "expected an INTEGER of minimal length");
    }
    return contents;
  }

  /** The octet that counts unused bits, which are clear (X.690 11.2.1), and the bits. */
  readBitString(): Uint8Array {
    const contents = this.readContents(TAG.bitString);
    const unusedBits = contents[0] ?? 8;
    const last = contents.length > 1 ? (contents.at(-1) ?? 0) : 0;
    const mostUnusedBits = contents.length > 1 ? 7 : 0;
    if (unusedBits > mostUnusedBits || (last & ((1 << unusedBits) - 1)) !== 0) {
      throw new DerError("der-bit-string-invalid", "expected a BIT STRING with clear unused bits");
    }
    return contents;
  }

  /** A BIT STRING whose length is a multiple of eight bits: keys and signatures. */
  readOctetAlignedBitString(): Uint8Array {
    const contents = this.readBitString();
    if (contents[0] !== 0) {
      throw new DerError("der-bit-string-invalid", "expected a BIT STRING of whole octets");
    }
    return contents.subarray(1);
  }

  readNull(): void {
    if (this.readContents(TAG.null).length !== 0) {
      throw new DerError("der-null-invalid", "expected a NULL without contents");
    }
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  readOid(): string {
    const end = this.#open(TAG.oid);
    const start = this.#at;
    this.#at = end;
    return decodeOid(this.#bytes.subarray(start, end));
  }

  #skipPrimitive(tag: number): void {
    switch (tag) {
      case TAG.boolean:
        this.readBoolean();
        break;
      case TAG.integer:
        this.readInteger();
        break;
      case TAG.bitString:
        this.readBitString();
        break;
      case TAG.null:
        this.readNull();
        break;
      case TAG.oid:
        this.readOid();
        break;
      default:
        this.#at = this.#open(tag);
    }
  }

  /** Reads identifier and length octets, moves to the contents and returns where these end. */
  #open(tag: number): number {
    if (this.#end - this.#at < 2) throw this.#truncated();
    const actual = this.#octet(this.#at);
    if ((actual & HIGH_TAG_NUMBER) === HIGH_TAG_NUMBER) throw this.#tagInvalid(actual);
    if (actual !== tag) {
      throw new DerError(
        "der-unexpected-tag",
        `expected tag ${hex(tag)}, got ${hex(actual)} at offset ${this.#at}`,
      );
    }
    let length = this.#octet(this.#at + 1);
    let start = this.#at + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      length = this.#longLength(start, octets);
      start += octets;
    }
    if (length > this.#end - start) throw this.#truncated();
    this.#at = start;
    return start + length;
  }

  #longLength(start: number, octets: number): number {
    if (octets === 0) {
      throw new DerError("der-length-indefinite", "expected a definite length (X.690 10.1)");
    }
    if (octets > 4) {
      throw new DerError("der-length-too-large", "expected a length of at most four octets");
    }
    if (octets > this.#end - start) throw this.#truncated();
    let length = 0;
    for (let index = start; index < start + octets; index++) {
      length = length * 256 + this.#octet(index);
    }
    if (length < 0x80 || length < 256 ** (octets - 1)) {
      throw new DerError("der-length-not-minimal", "expected a length of minimal size");
    }
    return length;
  }

  #octet(index: number): number {
    const octet = this.#bytes[index];
    if (octet === undefined) throw this.#truncated();
    return octet;
  }

  #truncated(): DerError {
    return new DerError(
      "der-truncated",
      `expected more bytes, got the end of the enclosing element at offset ${this.#end}`,
    );
  }

  #tagInvalid(tag: number): DerError {
    return new DerError("der-tag-invalid", `expected a DER tag, got ${hex(tag)} at ${this.#at}`);
  }
}

function hex(octet: number): string {
  return `0x${octet.toString(16).padStart(2, "0")}`;
}
