/** A generated protobuf service as the definition that grpc-js takes. */

import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageShape,
} from "@bufbuild/protobuf";
import type {
  MethodDefinition,
  Server,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";

export function addService(
  server: Server,
  service: DescService,
  handlers: UntypedServiceImplementation,
): void {
  server.addService(serviceDefinition(service), handlers);
}

export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, methodDefinition(service, method)]),
  );
}

/** One method, for a client that calls it by its path. */
export function methodDefinition<M extends DescMethod>(
  service: DescService,
  method: M,
): MethodDefinition<MessageShape<M["input"]>, MessageShape<M["output"]>> {
  const { methodKind, input, output } = method;
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: serializer<M["input"]>(input),
    requestDeserialize: (bytes) => fromBinary<M["input"]>(input, bytes),
    responseSerialize: serializer<M["output"]>(output),
    responseDeserialize: (bytes) => fromBinary<M["output"]>(output, bytes),
  };
}

/** In the place of a message: its octets, for what goes to many as it is, and for what is written by hand. */
export class EncodedMessage {
  readonly octets: Buffer;

  constructor(octets: Buffer) {
    this.octets = octets;
  }
}

/** Encodes it now, and never again. */
export function encodeOnce<T extends DescMessage>(
  schema: T,
  message: MessageShape<T>,
): EncodedMessage {
  return new EncodedMessage(encode(schema, message));
}

function serializer<T extends DescMessage>(
  schema: T,
): (message: MessageShape<T> | EncodedMessage) => Buffer {
  return (message) =>
    message instanceof EncodedMessage ? message.octets : encode(schema, message);
}

function encode<T extends DescMessage>(schema: T, message: MessageShape<T>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
