/**
 * The two messages of Istio's CA API, read and written by hand: they are the hot path, where a general decoder costs ten
 * times as much, and the only messages that the first certificate after a start needs. Held against the generated code
 * by a test.
 */

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { MethodDefinition } from "@grpc/grpc-js";

export interface CertificateRequestMessage {
  /** PEM. */
  readonly csr: string;
  /** Any int64. */
  readonly validityDurationSeconds: bigint;
  /** The string `ImpersonatedIdentity` of `metadata`; "" for none. */
  readonly impersonates: string;
  /** Not looked at: a CSR has at most 16 KiB, and only batches may be larger than this. */
  readonly isTooLarge?: true;
}

export interface CertificateResponseMessage {
  readonly certChain: readonly string[];
}

/** `/istio.v1.auth.IstioCertificateService/CreateCertificate`, for the server. */
export const createCertificateMethod: MethodDefinition<
  CertificateRequestMessage,
  CertificateResponseMessage
> = {
  path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
  requestStream: false,
  responseStream: false,
  requestSerialize: () => {
    throw new TypeError("the server sends no requests");
  },
  requestDeserialize: decodeCertificateRequest,
  responseSerialize: encodeCertificateResponse,
  responseDeserialize: () => {
    throw new TypeError("the server receives no responses");
  },
};

const requestBytesMax = 64 * 1_024;
const tooLarge: CertificateRequestMessage = Object.freeze({
  csr: "",
  validityDurationSeconds: 0n,
  impersonates: "",
  isTooLarge: true,
});

/** @throws Error on bytes that are no protobuf; grpc-js answers INTERNAL */
export function decodeCertificateRequest(bytes: Uint8Array): CertificateRequestMessage {
  if (bytes.length > requestBytesMax) return tooLarge;
  const reader = new BinaryReader(bytes);
  let csr = "";
  let validityDurationSeconds = 0n;
  let impersonates = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) csr = reader.string();
    else if (field === 3 && wireType === WireType.Varint) {
      validityDurationSeconds = BigInt(reader.int64());
    } else if (field === 4 && wireType === WireType.LengthDelimited) {
      // Of several `metadata` the last one that asks counts: whoever asks for another never gets its own.
      impersonates = impersonatedBy(reader.bytes()) || impersonates;
    } else reader.skip(wireType, field);
  }
  return { csr, validityDurationSeconds, impersonates };
}

function encodeCertificateResponse({ certChain }: CertificateResponseMessage): Buffer {
  const writer = new BinaryWriter();
  for (const pem of certChain) writer.tag(1, WireType.LengthDelimited).string(pem);
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** google.protobuf.Struct: `map<string, Value> fields = 1`. Only its own level is read, so that depth costs nothing. */
function impersonatedBy(bytes: Uint8Array): string {
  let impersonates = "";
  for (const entry of lengthDelimited(bytes, 1)) {
    const key = lengthDelimited(entry, 1).at(-1);
    const value = lengthDelimited(entry, 2).at(-1);
    if (key === undefined || Buffer.from(key).toString("utf8") !== "ImpersonatedIdentity") continue;
    // google.protobuf.Value: string_value is field 3. Of a repeated key the last one counts.
    const text = value && lengthDelimited(value, 3).at(-1);
    impersonates = text === undefined ? "" : Buffer.from(text).toString("utf8");
  }
  return impersonates;
}

function lengthDelimited(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return found;
}
