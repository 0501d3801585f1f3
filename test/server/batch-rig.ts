/** `SignBatch`, as a node's agent calls it. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { agentMetadata } from "../../src/edge/rpc/agent-metadata.ts";
import { dial } from "../../src/edge/rpc/dial.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  MeshService,
  SignBatchRequestSchema,
  type SignBatchEntrySchema,
  type SignBatchResponse,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { mint, type TestControlPlane } from "../support/control-plane.ts";
import { WIRE_CSR } from "./grpc-wire.ts";
import type { MeshIdentity } from "./mesh-client.ts";

export type Entry = MessageInitShape<typeof SignBatchEntrySchema>;

const method = methodDefinition(MeshService, MeshService.method.signBatch);

export function signBatch(
  it: TestControlPlane,
  entries: readonly Entry[],
  identity?: MeshIdentity,
  agentId?: string,
): Promise<SignBatchResponse> {
  const client = dial({
    server: it.address,
    serverRoots: Buffer.from(it.rootPem),
    ...(identity && { identity }),
  });
  const request = create(SignBatchRequestSchema, { entries: [...entries] });
  return new Promise<SignBatchResponse>((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      agentMetadata(agentId),
      (error, response) => {
        if (error !== null) reject(error);
        else if (response !== undefined) resolve(response);
      },
    );
  }).finally(() => client.close());
}

/** Of a workload of the shop. */
export const tokenOf = (name: string): string =>
  mint({ sub: `system:serviceaccount:shop:${name}`, "kubernetes.io": undefined });
export const entryOf = (name: string): Entry => ({ token: tokenOf(name), csr: WIRE_CSR });
