/**
 * The acknowledgement of a report. By hand where it names nobody: nearly every message of a server is one, and the encoder
 * takes a new array for each. Held against the generated code by a test.
 */

import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { ConnectResponseSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { EncodedMessage, encodeOnce } from "./service-definition.ts";

/** Two tags, a length, and a varint of 64 bits. */
const ackBytesMax = 3 + 10;

/** @param unproven SPIFFE IDs of whom nothing was kept */
export function encodeReportAck(
  sequence: bigint,
  unproven: readonly string[] = [],
): EncodedMessage {
  if (unproven.length === 0) return new EncodedMessage(octetsOfAck(sequence));
  const value = { sequence, unproven: [...unproven] };
  const message = create(ConnectResponseSchema, { message: { case: "reportAck", value } });
  return encodeOnce(ConnectResponseSchema, message);
}

function octetsOfAck(sequence: bigint): Buffer {
  const octets = Buffer.allocUnsafe(ackBytesMax);
  let length = 3;
  let rest = sequence;
  for (; rest > 0x7fn; rest >>= 7n) octets[length++] = Number(rest & 0x7fn) | 0x80;
  octets[length++] = Number(rest);
  // Field 2 of ConnectResponse, and field 1 of ReportAck.
  octets.set([(2 << 3) | WireType.LengthDelimited, length - 2, (1 << 3) | WireType.Varint]);
  return octets.subarray(0, length);
}
