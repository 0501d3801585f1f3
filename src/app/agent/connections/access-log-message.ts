/**
 * What an Envoy tells of the connections to its inbound ports, read by hand: there are thousands in a second, each in a message of its
 * own, and most of it is of no use.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import {
  StreamAccessLogsMessage_IdentifierSchema as IdentifierSchema,
  StreamAccessLogsMessage_TCPAccessLogEntriesSchema as EntriesSchema,
  StreamAccessLogsMessageSchema,
} from "../../../gen/envoy/service/accesslog/v3/als_pb.ts";
import type { AccessLogEntry } from "./access-log-entry.ts";
import { AccessLogEntryReader } from "./access-log-entry-reader.ts";
import { readEmbedded, readerOf, readMessage, type TakeField } from "./message-fields.ts";

export interface AccessLogMessage {
  /** Of the first message of a stream. */
  readonly nodeId: string | undefined;
  readonly entries: readonly AccessLogEntry[];
}

const identifierField = StreamAccessLogsMessageSchema.field.identifier.number;
const entriesField = StreamAccessLogsMessageSchema.field.tcpLogs.number;
const entryField = EntriesSchema.field.logEntry.number;
/** An Envoy of ours sends one in each message. */
const entriesMax = 8_192;
/** The node comes with all extensions of its Envoy. */
const lean = { readUnknownFields: false };

/** @throws Error for what is no such message */
export function readAccessLog(octets: Uint8Array): AccessLogMessage {
  let nodeId: string | undefined;
  const entries: AccessLogEntry[] = [];
  const reader = readerOf(octets);
  const entryReader = new AccessLogEntryReader(reader);
  const takeEntry: TakeField = (field, wireType) => {
    if (field !== entryField || wireType !== WireType.LengthDelimited) return false;
    if (entries.length >= entriesMax)
      throw new RangeError(`expected at most ${entriesMax} entries`);
    entries.push(entryReader.read());
    return true;
  };
  readMessage(reader, (field, wireType) => {
    if (wireType !== WireType.LengthDelimited) return false;
    if (field === entriesField) readEmbedded(reader, takeEntry);
    else if (field === identifierField) {
      nodeId = fromBinary(IdentifierSchema, reader.bytes(), lean).node?.id;
    } else return false;
    return true;
  });
  return { nodeId, entries };
}
