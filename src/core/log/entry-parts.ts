/** Serials and digests on the wire, which several kinds of entry have. */

import type { EntryReader } from "./entry-reader.ts";
import { malformed } from "./entry-wire.ts";
import type { EntryWriter } from "./entry-writer.ts";
import { HASH_BYTES } from "./merkle.ts";

/** RFC 5280 4.1.2.2. */
const SERIAL_BYTES_MAX = 20;

/** @throws LogError */
export function writeSerial(writer: EntryWriter, serial: Uint8Array): void {
  expectSerial(serial);
  writer.octets("serial", serial, 1);
}

/** @throws LogError */
export function readSerial(reader: EntryReader): Uint8Array {
  const serial = reader.octets("serial", reader.integer("serial", 1));
  expectSerial(serial);
  return serial;
}

/** One number, one encoding: two entries of a serial are found by their octets. */
function expectSerial(serial: Uint8Array): void {
  if (serial.length > SERIAL_BYTES_MAX || (serial[0] ?? 0) === 0) {
    const hex = Buffer.from(serial).toString("hex");
    throw malformed("serial", `1 to ${SERIAL_BYTES_MAX} octets, the first not 00`, hex || "none");
  }
}

/** @throws LogError unless it is empty or a whole digest */
export function writeDigest(writer: EntryWriter, field: string, digest: Uint8Array): void {
  if (digest.length > 0) expectDigest(field, digest.length);
  writer.octets(field, digest, 1);
}

/** @throws LogError */
export function readDigest(reader: EntryReader, field: string): Uint8Array {
  const length = reader.integer(field, 1);
  if (length > 0) expectDigest(field, length);
  return reader.octets(field, length);
}

/** @throws LogError unless it is a whole digest, which is written without its length */
export function writeFullDigest(writer: EntryWriter, field: string, digest: Uint8Array): void {
  expectDigest(field, digest.length);
  writer.octets(field, digest, 0);
}

function expectDigest(field: string, length: number): void {
  if (length !== HASH_BYTES) throw malformed(field, `${HASH_BYTES} octets`, `${length}`);
}
