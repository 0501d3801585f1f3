/** Envoy's `Check` <-> what is decided. */

import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { AuthzQuestion } from "../../../core/policy/authz-decision.ts";
import {
  CheckResponseSchema,
  type CheckRequest,
  type CheckResponse,
} from "../../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { StatusCode } from "../../../gen/envoy/type/v3/http_status_pb.ts";

/** Undefined for one that does not say which port is meant: a Unix socket has none. */
export function authzQuestion({ attributes }: CheckRequest): AuthzQuestion | undefined {
  const address = attributes?.destination?.address?.address;
  if (address?.case !== "socketAddress") return undefined;
  const { portSpecifier } = address.value;
  if (portSpecifier.case !== "portValue") return undefined;
  const port = portSpecifier.value;
  if (port < 1 || port > 65_535) return undefined;
  return { port, principal: attributes?.source?.principal ?? "" };
}

/** Of connections, and of requests. */
export const allowed: CheckResponse = create(CheckResponseSchema, { status: { code: status.OK } });

/** @param why for the caller, if he speaks HTTP */
export function denied({ attributes }: CheckRequest, why: string): CheckResponse {
  const isHttp = attributes?.request?.http !== undefined;
  const value = { status: { code: StatusCode.Forbidden }, body: `${why}\n` };
  return create(CheckResponseSchema, {
    status: { code: status.PERMISSION_DENIED, message: why },
    ...(isHttp && { httpResponse: { case: "deniedResponse", value } }),
  });
}
