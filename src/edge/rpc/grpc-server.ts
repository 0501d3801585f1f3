/** gRPC servers with the limits that a stranger meets before any work is done for him. */

import { Server, type ServerOptions, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { DescService } from "@bufbuild/protobuf";
import { serviceDefinition } from "./service-definition.ts";

/** A CSR has at most 16 KiB, a report of a sidecar's agent a few. */
const messageBytesMax = 64 * 1_024;

const serverOptions: ServerOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_concurrent_streams": 256,
  // A peer that is gone without a word is noticed; one that does nothing is sent away; none stays for ever.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_connection_idle_ms": 300_000,
  "grpc.max_connection_age_ms": 3_600_000,
  "grpc.max_connection_age_grace_ms": 30_000,
  "grpc.enable_channelz": 0,
};

export function createGrpcServer(): Server {
  return new Server(serverOptions);
}

export function addService(
  server: Server,
  service: DescService,
  handlers: UntypedServiceImplementation,
): void {
  server.addService(serviceDefinition(service), handlers);
}
