/** The client's side of `MeshService/SignCanary`, on the connection of the mesh stream: whoever asks to prove is the one to sign for it. */

import { create } from "@bufbuild/protobuf";
import type { Client } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { MeshService, SignCanaryRequestSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { agentMetadata } from "./agent-metadata.ts";
import { errorDetail } from "./error-detail.ts";
import { octetsOf } from "./mesh-fields.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

export class CanaryClientError extends PortcullisError<"canary-not-signed"> {
  override name = "CanaryClientError";
}

export interface CanaryRequest {
  /** The agent's name in the server's roll. */
  readonly agentId: string;
  readonly csrPem: string;
  /** Lower-case hex. */
  readonly rootSha256: string;
}

const method = methodDefinition(MeshService, MeshService.method.signCanary);
const timeoutMs = 30_000;

/** @returns PEM: the leaf, then each intermediate @throws CanaryClientError */
export async function requestCanary(
  client: Client,
  { agentId, csrPem: csr, rootSha256 }: CanaryRequest,
): Promise<readonly string[]> {
  const message = create(SignCanaryRequestSchema, { csr, rootSha256: octetsOf(rootSha256) });
  const { certChain } = await callUnary(client, {
    method,
    message,
    metadata: agentMetadata(agentId),
    timeoutMs,
    errorOf: (cause) => new CanaryClientError("canary-not-signed", errorDetail(cause), { cause }),
  });
  return certChain;
}
