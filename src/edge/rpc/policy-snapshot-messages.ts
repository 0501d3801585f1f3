/** PolicySnapshot of `portcullis.mesh.v1`: what the server tells proxies to do. The policies in it stay octets. */

import { create } from "@bufbuild/protobuf";
import type { ReportedPolicy } from "../../core/policy/policy-report.ts";
import {
  ConnectResponseSchema,
  type ConnectResponse,
  type PolicySnapshot,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { batchesOf } from "./policy-batches.ts";

export interface PolicyAssignment extends Pick<ReportedPolicy, "proxyId" | "spiffeId"> {
  /** As `encodePolicy` makes them. */
  readonly octets: Uint8Array;
}

/** In as many messages as it takes; none says only that there is policy here. */
export function encodePolicySnapshots(assignments: readonly PolicyAssignment[]): ConnectResponse[] {
  if (assignments.length === 0) return [encodeSnapshot([])];
  return batchesOf(assignments, octetsOfAssignment).map(encodeSnapshot);
}

function encodeSnapshot(assignments: readonly PolicyAssignment[]): ConnectResponse {
  const proxies = assignments.map(({ proxyId, spiffeId = "", octets }) => ({
    proxyId,
    spiffeId,
    policy: Uint8Array.from(octets),
  }));
  return create(ConnectResponseSchema, { message: { case: "policy", value: { proxies } } });
}

/** Tags and lengths besides. */
function octetsOfAssignment({ proxyId, spiffeId = "", octets }: PolicyAssignment): number {
  return Buffer.byteLength(proxyId) + Buffer.byteLength(spiffeId) + octets.length + 20;
}

/** Nothing of it is judged: names are looked up, and a policy is `parsePolicy`'s. */
export function policyAssignments({ proxies }: PolicySnapshot): PolicyAssignment[] {
  return proxies.map(({ proxyId, spiffeId, policy }) => ({
    proxyId,
    spiffeId: spiffeId === "" ? undefined : spiffeId,
    octets: policy,
  }));
}
