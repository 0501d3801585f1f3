/** `portcullis.admin.v1`: what an operator sees. Served on a Unix socket in a directory that only its owner can enter. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { SubscriptionEvidence } from "../../core/roll/evidence.ts";
import type { Roll, RollEntry } from "../../core/roll/roll.ts";
import {
  GetStatusResponseSchema,
  type GetStatusRequest,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import type { Trust } from "./trust.ts";

export interface AdminDependencies {
  readonly version: string;
  readonly startedMs: number;
  readonly trust: () => Trust;
  readonly roll: Roll;
  readonly totals: () => { readonly issued: bigint; readonly refused: bigint };
  readonly servingNotAfterMs: () => number;
  readonly agentsConnected: () => number;
  readonly nowMs: () => number;
}

/** The handler of `GetStatus`. */
export function statusHandler(
  dependencies: AdminDependencies,
): (
  call: ServerUnaryCall<GetStatusRequest, GetStatusResponse>,
  reply: sendUnaryData<GetStatusResponse>,
) => void {
  return (_, reply) => reply(null, statusOf(dependencies));
}

function statusOf(dependencies: AdminDependencies): GetStatusResponse {
  const { state, bundle } = dependencies.trust();
  const { issued, refused } = dependencies.totals();
  return create(GetStatusResponseSchema, {
    now: timestampFromMs(dependencies.nowMs()),
    server: {
      version: dependencies.version,
      trustDomain: bundle.trustDomain.name,
      startedAt: timestampFromMs(dependencies.startedMs),
      bundleSequence: bundle.sequence,
      certificatesSigned: issued,
      requestsRefused: refused,
      servingNotAfter: timestampFromMs(dependencies.servingNotAfterMs()),
      agentsConnected: dependencies.agentsConnected(),
    },
    authorities: state.authorities.map(({ id, state, chain, root }) => {
      const { notAfterMs, spki } = parseCertificate(chain[0] ?? root);
      const { type, bits } = parsePublicKey(spki);
      const keyType = type === "rsa" ? `rsa-${bits}` : type;
      return { id, state, keyType, notAfter: timestampFromMs(notAfterMs) };
    }),
    proxies: dependencies.roll.entries().map(proxyStatus),
  });
}

function proxyStatus({ reporter, evidence, connected, lastSeenMs }: RollEntry) {
  return {
    proxyId: evidence.proxyId,
    agentId: reporter.agentId,
    spiffeId: reporter.spiffeId,
    pod: reporter.pod ?? "",
    connected,
    lastSeen: timestampFromMs(lastSeenMs),
    subscriptions: evidence.subscriptions.map(subscriptionStatus),
  };
}

function subscriptionStatus({ resourceName, acked, nack }: SubscriptionEvidence) {
  return {
    resourceName,
    serial: acked?.certificate?.serialHex ?? "",
    bundleSequence: acked?.bundleSequence ?? 0n,
    nackDetail: nack?.detail ?? "",
    ...(acked && { ackedAt: timestampFromMs(acked.atMs) }),
    ...(acked?.certificate && { notAfter: timestampFromMs(acked.certificate.notAfterMs) }),
    ...(nack && { nackedAt: timestampFromMs(nack.atMs) }),
  };
}
