/** The operator's side of CreateJoinToken in `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import { status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  CreateJoinTokenRequestSchema,
  type CreateJoinTokenResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { callAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";

/** The server has answered, and made no token. */
export class JoinTokenRefusedError extends PortcullisError<"join-token-refused"> {
  override name = "JoinTokenRefusedError";
}

export interface JoinTokenRequest {
  readonly spiffeId: string;
  /** 0 asks for the default. */
  readonly ttlSeconds: number;
  /** Who makes it, as claimed. @default nobody */
  readonly operator?: string;
}

/** @param address where it is called. @throws AdminClientError, JoinTokenRefusedError */
export async function createJoinToken(
  address: AdminTarget,
  { spiffeId, ttlSeconds, operator = "" }: JoinTokenRequest,
): Promise<CreateJoinTokenResponse> {
  const validityDuration = BigInt(ttlSeconds);
  const request = create(CreateJoinTokenRequestSchema, { spiffeId, validityDuration, operator });
  return await callAdmin(address, AdminService.method.createJoinToken, request, refusal);
}

function refusal({ code, details }: ServiceError): JoinTokenRefusedError | undefined {
  const isAnswer = code === status.INVALID_ARGUMENT || code === status.RESOURCE_EXHAUSTED;
  return isAnswer ? new JoinTokenRefusedError("join-token-refused", details) : undefined;
}
