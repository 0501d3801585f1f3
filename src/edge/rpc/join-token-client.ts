/** The operator's side of CreateJoinToken in `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import { Client, credentials, status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  CreateJoinTokenRequestSchema,
  type CreateJoinTokenResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { AdminClientError } from "./admin-client.ts";
import { methodDefinition } from "./service-definition.ts";

/** The server has answered, and made no token. */
export class JoinTokenRefusedError extends PortcullisError<"join-token-refused"> {
  override name = "JoinTokenRefusedError";
}

export interface JoinTokenRequest {
  readonly spiffeId: string;
  /** 0 asks for the default. */
  readonly ttlSeconds: number;
}

const timeoutMs = 5_000;
const { path, requestSerialize, responseDeserialize } = methodDefinition(
  AdminService,
  AdminService.method.createJoinToken,
);

/** @param address a gRPC target, `unix:///PATH`. @throws AdminClientError, JoinTokenRefusedError */
export async function createJoinToken(
  address: string,
  { spiffeId, ttlSeconds }: JoinTokenRequest,
): Promise<CreateJoinTokenResponse> {
  const validityDuration = BigInt(ttlSeconds);
  const client = new Client(address, credentials.createInsecure());
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(CreateJoinTokenRequestSchema, { spiffeId, validityDuration }),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (response !== undefined) resolve(response);
          else reject(refusal(address, error));
        },
      );
    });
  } finally {
    client.close();
  }
}

function refusal(address: string, error: ServiceError | null): PortcullisError {
  if (error?.code === status.INVALID_ARGUMENT || error?.code === status.RESOURCE_EXHAUSTED) {
    return new JoinTokenRefusedError("join-token-refused", error.details);
  }
  return new AdminClientError("admin-unreachable", `no server answers at ${address}`, {
    cause: error,
    hint: "name the running one by --data-dir DIR or --admin unix:///PATH",
  });
}
