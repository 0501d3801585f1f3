/** The operator's side of GetPolicyStatus in `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  AdminService,
  GetPolicyStatusRequestSchema,
  type GetPolicyStatusResponse,
  type ProxyPolicyStatus,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { unreachable } from "./admin-client.ts";
import { methodDefinition } from "./service-definition.ts";

const timeoutMs = 30_000;

/** @param address a gRPC target, `unix:///PATH`. @throws AdminClientError */
export async function fetchPolicyStatus(
  address: string,
): Promise<{ readonly sequence: number; readonly proxies: readonly ProxyPolicyStatus[] }> {
  const client = new Client(address, credentials.createInsecure());
  const method = methodDefinition(AdminService, AdminService.method.getPolicyStatus);
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    create(GetPolicyStatusRequestSchema),
    new Metadata(),
    { deadline: Date.now() + timeoutMs },
  );
  try {
    const pages = await Array.fromAsync<GetPolicyStatusResponse>(call);
    const [head] = pages;
    return {
      sequence: Number(head?.sequence ?? 0n),
      proxies: pages.flatMap(({ proxies }) => proxies),
    };
  } catch (error) {
    throw unreachable(address, error);
  } finally {
    client.close();
  }
}
