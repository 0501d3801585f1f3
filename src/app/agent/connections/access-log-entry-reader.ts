/** Reads entries of the access log by hand: the few fields that say what a connection was. */

import { WireType, type BinaryReader } from "@bufbuild/protobuf/wire";
import { connectionTags } from "../../../core/envoy/connection-log.ts";
import {
  AddressSchema,
  SocketAddressSchema,
} from "../../../gen/envoy/config/core/v3/address_pb.ts";
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

const commonField = TCPAccessLogEntrySchema.field.commonProperties.number;
const common = AccessLogCommonSchema.field;
const serverNameField = TLSPropertiesSchema.field.tlsSniHostname.number;
const certificateField = TLSPropertiesSchema.field.peerCertificateProperties.number;
const nameField = CertificateSchema.field.subjectAltName.number;
const uriField = NameSchema.field.uri.number;
const noRouteField = ResponseFlagsSchema.field.noRouteFound.number;
const socketAddressField = AddressSchema.field.socketAddress.number;
const addressField = SocketAddressSchema.field.address.number;
const portField = SocketAddressSchema.field.portValue.number;
/** Of a map's entries, and of durations and timestamps. */
const [firstField, secondField] = [1, 2];

/** In all of BoringSSL's errors, but not in those of the socket below. */
const tlsError = "SSL routines";

/** Reads one after the other. */
export class AccessLogEntryReader {
  readonly #reader: BinaryReader;
  #entry = emptyEntry();
  /** Of the address, and of the tag, that was read last. */
  #address = "";
  #port = 0;
  #key = "";
  #value = "";
  #ms = 0;

  constructor(reader: BinaryReader) {
    this.#reader = reader;
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
        this.#readAddress();
        entry.port = this.#port;
        return true;
      case common.downstreamDirectRemoteAddress.number:
        this.#readAddress();
        entry.address = this.#address;
        return true;
      case common.startTime.number:
        entry.beganMs = this.#readMs();
        return true;
      case common.duration.number:
        entry.lastedMs = this.#readMs();
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

  #readAddress(): void {
    this.#address = "";
    this.#port = 0;
    readEmbedded(this.#reader, this.#takeAddress);
  }

  readonly #takeAddress: TakeField = (field, wireType) => {
    if (field !== socketAddressField || wireType !== WireType.LengthDelimited) return false;
    readEmbedded(this.#reader, this.#takeSocketAddress);
    return true;
  };

  readonly #takeSocketAddress: TakeField = (field, wireType) => {
    if (field === addressField && wireType === WireType.LengthDelimited) {
      this.#address = this.#reader.string();
    } else if (field === portField && wireType === WireType.Varint) {
      this.#port = this.#reader.uint32();
    } else return false;
    return true;
  };

  #readMs(): number {
    this.#ms = 0;
    readEmbedded(this.#reader, this.#takeTime);
    return this.#ms;
  }

  readonly #takeTime: TakeField = (field, wireType) => {
    if (wireType !== WireType.Varint) return false;
    if (field === firstField) this.#ms += Number(this.#reader.int64()) * 1_000;
    else if (field === secondField) this.#ms += this.#reader.int32() / 1_000_000;
    else return false;
    return true;
  };

  #readTag(): void {
    this.#key = "";
    this.#value = "";
    readEmbedded(this.#reader, this.#takeTag);
    const entry = this.#entry;
    const value = this.#value;
    if (this.#key === connectionTags.chain) entry.chain = value;
    else if (this.#key === connectionTags.id) entry.id = value;
    else if (this.#key === connectionTags.userAgent) entry.userAgent = value;
    else if (this.#key === connectionTags.handshake && value !== "") entry.hasProven = true;
  }

  readonly #takeTag: TakeField = (field, wireType) => {
    if (wireType !== WireType.LengthDelimited) return false;
    if (field === firstField) this.#key = this.#reader.string();
    else if (field === secondField) this.#value = this.#reader.string();
    else return false;
    return true;
  };
}
