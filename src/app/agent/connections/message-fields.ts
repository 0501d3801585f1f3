/** Walks through the fields of a message, and over those that nobody wants. */

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** @returns whether it has read the field's value */
export type TakeField = (field: number, wireType: WireType) => boolean;

/** Its texts are read as Latin-1, which is fast: whatever is not ASCII is nothing that is looked for. */
export function readerOf(octets: Uint8Array): BinaryReader {
  return new BinaryReader(octets, latin1);
}

/** All that the reader has. @throws Error for what is no message */
export function readMessage(reader: BinaryReader, take: TakeField): void {
  readUntil(reader, reader.len, take);
}

/** A message in a field. @throws Error for what is none */
export function readEmbedded(reader: BinaryReader, take: TakeField): void {
  const end = endOf(reader);
  readUntil(reader, end, take);
}

function readUntil(reader: BinaryReader, end: number, take: TakeField): void {
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (take(field, wireType)) continue;
    if (wireType === WireType.LengthDelimited) reader.pos = endOf(reader);
    else reader.skip(wireType, field);
  }
  if (reader.pos !== end) throw new RangeError("expected a field to end within its message");
}

function endOf(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("expected the whole of a field");
  return end;
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString("latin1");
}
