/** Reads entries of the access log by hand: the few fields that say what a connection was. */

import { WireType, type BinaryReader } from "@bufbuild/protobuf/wire";
import { connectionTags } from "../../../core/envoy/connection-log.ts";
import {
  AccessLogCommonSchema,
  AccessLogType,
  ResponseFlagsSchema,
  TCPAccessLogEntrySchema,
  TLSPropertiesSchema,
  TLSProperties_CertificateProperties_SubjectAltNameSchema as NameSchema,
  TLSProperties_CertificatePropertiesSchema as CertificateSchema,
} from "../../../gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { readEmbedded, type TakeField } from "./message-fields.ts";
import { emptyEntry, type AccessLogEntry } from "./access-log-entry.ts";
import { AccessLogValues } from "./access-log-values.ts";

const commonField = TCPAccessLogEntrySchema.field.commonProperties.number;
const common = AccessLogCommonSchema.field;
const serverNameField = TLSPropertiesSchema.field.tlsSniHostname.number;
const certificateField = TLSPropertiesSchema.field.peerCertificateProperties.number;
const nameField = CertificateSchema.field.subjectAltName.number;
const uriField = NameSchema.field.uri.number;
const noRouteField = ResponseFlagsSchema.field.noRouteFound.number;

/** In all of BoringSSL's errors, but not in those of the socket below. */
const tlsError = "SSL routines";

/** Reads one after the other. */
export class AccessLogEntryReader {
  readonly #reader: BinaryReader;
  readonly #values: AccessLogValues;
  #entry = emptyEntry();

  constructor(reader: BinaryReader) {
    this.#reader = reader;
    this.#values = new AccessLogValues(reader);
  }

  /** The next field is an entry. @throws Error for what is none */
  read(): AccessLogEntry {
    const entry = emptyEntry();
    this.#entry = entry;
    readEmbedded(this.#reader, this.#takeEntry);
    return entry;
  }

  readonly #takeEntry: TakeField = (field, wireType) => {
    if (field !== commonField || wireType !== WireType.LengthDelimited) return false;
    readEmbedded(this.#reader, this.#takeCommon);
    return true;
  };

  readonly #takeCommon: TakeField = (field, wireType) => {
    const entry = this.#entry;
    if (wireType === WireType.Varint) {
      if (field !== common.accessLogType.number) return false;
      entry.isEnd = this.#reader.uint32() === AccessLogType.NotSet;
      return true;
    }
    if (wireType !== WireType.LengthDelimited) return false;
    switch (field) {
      case common.downstreamLocalAddress.number:
        this.#values.readAddress();
        entry.port = this.#values.port;
        return true;
      case common.downstreamDirectRemoteAddress.number:
        this.#values.readAddress();
        entry.address = this.#values.address;
        return true;
      case common.startTime.number:
        entry.beganMs = this.#values.readMs();
        return true;
      case common.duration.number:
        entry.lastedMs = this.#values.readMs();
        return true;
      case common.tlsProperties.number:
        readEmbedded(this.#reader, this.#takeTls);
        return true;
      case common.responseFlags.number:
        readEmbedded(this.#reader, this.#takeFlags);
        return true;
      case common.customTags.number:
        this.#readTag();
        return true;
      case common.upstreamCluster.number:
        if (this.#reader.string() !== "") entry.hasProven = true;
        return true;
      case common.downstreamTransportFailureReason.number:
        entry.hasTlsError = this.#reader.string().includes(tlsError);
        return true;
    }
    return false;
  };

  readonly #takeTls: TakeField = (field, wireType) => {
    if (wireType !== WireType.LengthDelimited) return false;
    if (field === certificateField) readEmbedded(this.#reader, this.#takeCertificate);
    else if (field === serverNameField) this.#entry.hasServerName = this.#reader.string() !== "";
    else return false;
    return true;
  };

  readonly #takeCertificate: TakeField = (field, wireType) => {
    if (field !== nameField || wireType !== WireType.LengthDelimited) return false;
    readEmbedded(this.#reader, this.#takeName);
    return true;
  };

  readonly #takeName: TakeField = (field, wireType) => {
    if (field !== uriField || wireType !== WireType.LengthDelimited) return false;
    const uri = this.#reader.string();
    this.#entry.peerUri ||= uri;
    return true;
  };

  readonly #takeFlags: TakeField = (field, wireType) => {
    if (field !== noRouteField || wireType !== WireType.Varint) return false;
    this.#entry.hasNoRoute = this.#reader.bool();
    return true;
  };

  #readTag(): void {
    this.#values.readTag();
    const entry = this.#entry;
    const { key, value } = this.#values;
    if (key === connectionTags.chain) entry.chain = value;
    else if (key === connectionTags.id) entry.id = value;
    else if (key === connectionTags.userAgent) entry.userAgent = value;
    else if (key === connectionTags.handshake && value !== "") entry.hasProven = true;
  }
}
