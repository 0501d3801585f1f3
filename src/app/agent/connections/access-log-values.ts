/** Values in entries of the access log that are messages of their own. None is made an object of: there are several in each entry. */

import { WireType, type BinaryReader } from "@bufbuild/protobuf/wire";
import {
  AddressSchema,
  SocketAddressSchema,
} from "../../../gen/envoy/config/core/v3/address_pb.ts";
import { readEmbedded, type TakeField } from "./message-fields.ts";

const socketAddressField = AddressSchema.field.socketAddress.number;
const addressField = SocketAddressSchema.field.address.number;
const portField = SocketAddressSchema.field.portValue.number;
/** Of a map's entries, and of durations and timestamps. */
const [firstField, secondField] = [1, 2];

export class AccessLogValues {
  readonly #reader: BinaryReader;
  /** As they were read last. */
  address = "";
  port = 0;
  key = "";
  value = "";
  #ms = 0;

  constructor(reader: BinaryReader) {
    this.#reader = reader;
  }

  readAddress(): void {
    this.address = "";
    this.port = 0;
    readEmbedded(this.#reader, this.#takeAddress);
  }

  readonly #takeAddress: TakeField = (field, wireType) => {
    if (field !== socketAddressField || wireType !== WireType.LengthDelimited) return false;
    readEmbedded(this.#reader, this.#takeSocketAddress);
    return true;
  };

  readonly #takeSocketAddress: TakeField = (field, wireType) => {
    if (field === addressField && wireType === WireType.LengthDelimited) {
      this.address = this.#reader.string();
    } else if (field === portField && wireType === WireType.Varint) {
      this.port = this.#reader.uint32();
    } else return false;
    return true;
  };

  readMs(): number {
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

  readTag(): void {
    this.key = "";
    this.value = "";
    readEmbedded(this.#reader, this.#takeTag);
  }

  readonly #takeTag: TakeField = (field, wireType) => {
    if (wireType !== WireType.LengthDelimited) return false;
    if (field === firstField) this.key = this.#reader.string();
    else if (field === secondField) this.value = this.#reader.string();
    else return false;
    return true;
  };
}
