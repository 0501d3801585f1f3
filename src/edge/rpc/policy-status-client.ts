/** The operator's side of GetPolicyStatus in `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import {
  AdminService,
  GetPolicyStatusRequestSchema,
  type ProxyPolicyStatus,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { collectAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";

const timeoutMs = 30_000;

/** @param address where it is called. @throws AdminClientError */
export async function fetchPolicyStatus(
  address: AdminTarget,
): Promise<{ readonly sequence: number; readonly proxies: readonly ProxyPolicyStatus[] }> {
  const pages = await collectAdmin(
    address,
    AdminService.method.getPolicyStatus,
    create(GetPolicyStatusRequestSchema),
    () => undefined,
    timeoutMs,
  );
  const [head] = pages;
  return {
    sequence: Number(head?.sequence ?? 0n),
    proxies: pages.flatMap(({ proxies }) => proxies),
  };
}
