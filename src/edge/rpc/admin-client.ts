/** The operator's side of `portcullis.admin.v1`. */

import { create, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  AdminService,
  GetBundleRequestSchema,
  GetStatusRequestSchema,
  type GetBundleResponse,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { methodDefinition } from "./service-definition.ts";

export class AdminClientError extends PortcullisError<"admin-unreachable"> {
  override name = "AdminClientError";
}

const timeoutMs = 5_000;
/** 20,000 proxies with a few subscriptions each. */
const responseBytesMax = 64 * 1_048_576;

/** @param address a gRPC target, `unix:///PATH`. @throws AdminClientError */
export async function fetchStatus(address: string): Promise<GetStatusResponse> {
  return await callAdmin(address, AdminService.method.getStatus, create(GetStatusRequestSchema));
}

/** @param address as of `fetchStatus`. @throws AdminClientError */
export async function fetchBundle(address: string): Promise<GetBundleResponse> {
  return await callAdmin(address, AdminService.method.getBundle, create(GetBundleRequestSchema));
}

async function callAdmin<M extends DescMethodUnary>(
  address: string,
  method: M,
  request: MessageShape<M["input"]>,
): Promise<MessageShape<M["output"]>> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(AdminService, method);
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": responseBytesMax,
  });
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
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
