/** The operator's side of `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  GetStatusRequestSchema,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { methodDefinition } from "./service-definition.ts";

export class AdminClientError extends PortcullisError<"admin-unreachable"> {
  override name = "AdminClientError";
}

const method = methodDefinition(AdminService, AdminService.method.getStatus);
const timeoutMs = 5_000;
/** 20,000 proxies with a few subscriptions each. */
const responseBytesMax = 64 * 1_048_576;

/** @param address a gRPC target, `unix:///PATH`. @throws AdminClientError */
export async function fetchStatus(address: string): Promise<GetStatusResponse> {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": responseBytesMax,
  });
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        create(GetStatusRequestSchema),
        { deadline: Date.now() + timeoutMs },
        (cause, response) => {
          if (response !== undefined) resolve(response);
          else reject(unreachable(address, cause));
        },
      );
    });
  } finally {
    client.close();
  }
}

function unreachable(address: string, cause: unknown): AdminClientError {
  return new AdminClientError("admin-unreachable", `no server answers at ${address}`, {
    cause,
    hint: "name the running one by --data-dir DIR or --admin unix:///PATH",
  });
}
