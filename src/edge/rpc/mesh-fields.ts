/** The fields of `portcullis.mesh.v1` that many messages have: what is taken, and what is refused. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { hexOf } from "../../core/bytes.ts";
import { PortcullisError } from "../../core/error.ts";

export type MeshMessageErrorCode =
  | "mesh-name-too-long"
  | "mesh-time-out-of-range"
  | "mesh-index-out-of-range"
  | "mesh-digest-malformed"
  | "mesh-serial-malformed"
  | "mesh-list-too-long"
  | "mesh-policy-malformed"
  | "mesh-connections-malformed"
  | "mesh-policy-too-large";

export class MeshMessageError extends PortcullisError<MeshMessageErrorCode> {
  override name = "MeshMessageError";
}

/** Longer names are refused: cut, two of them could become one. */
const nameLengthMax = 2_048;
const digestBytes = 32;
/** RFC 5280 4.1.2.2. */
const serialBytesMax = 20;
/** As many as a node agent speaks for, twice: a former certificate of each may still be in use. */
const leavesMax = 8_192;
/** The range of google.protobuf.Timestamp: what lies outside could not be sent on to an operator. */
const timeMsMin = -62_135_596_800_000;
const timeMsMax = 253_402_300_799_999;

/** @throws MeshMessageError */
export function parseTimeMs(wire: Timestamp): number {
  const timeMs = timestampMs(wire);
  if (timeMs >= timeMsMin && timeMs <= timeMsMax) return timeMs;
  throw new MeshMessageError("mesh-time-out-of-range", "expected a time in the years 1 to 9999");
}

/** @throws MeshMessageError */
export function parseName(name: string): string {
  return assertLength(name, nameLengthMax);
}

/** A name, or a SPIFFE ID, a space and a name. @throws MeshMessageError */
export function parseProxyKey(key: string): string {
  return assertLength(key, key.startsWith("spiffe://") ? 2 * nameLengthMax + 1 : nameLengthMax);
}

/** For texts that are shown, and never compared. */
export function cut(text: string, max: number): string {
  return text.length > max ? text.slice(0, max) : text;
}

/** @returns lower-case hex; undefined for none @throws MeshMessageError */
export function parseDigest(wire: Uint8Array): string | undefined {
  if (wire.length === 0) return undefined;
  if (wire.length === digestBytes) return hexOf(wire);
  const message = `expected a digest of ${digestBytes} octets, got ${wire.length}`;
  throw new MeshMessageError("mesh-digest-malformed", message);
}

/** @returns lower-case hex @throws MeshMessageError */
export function parseSerial(wire: Uint8Array): string {
  if (wire.length <= serialBytesMax && (wire[0] ?? 0) !== 0) return hexOf(wire);
  const message = `expected a serial of 1 to ${serialBytesMax} octets, the first not 00`;
  throw new MeshMessageError("mesh-serial-malformed", message);
}

/** @throws MeshMessageError */
export function parseSerials(wire: readonly Uint8Array[]): string[] {
  assertLeavesLength(wire);
  return wire.map(parseSerial);
}

/** @throws MeshMessageError */
export function assertLeavesLength(list: readonly unknown[]): void {
  if (list.length <= leavesMax) return;
  const message = `expected a list of at most ${leavesMax}, got ${list.length}`;
  throw new MeshMessageError("mesh-list-too-long", message);
}

export function octetsOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function assertLength(name: string, max: number): string {
  if (name.length <= max) return name;
  throw new MeshMessageError(
    "mesh-name-too-long",
    `expected a name of at most ${max} characters, got ${name.length}`,
  );
}
