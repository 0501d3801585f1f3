/** `portcullis.admin.v1`: what an operator sees. Served on a Unix socket in a directory that only its owner can enter. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { SubscriptionEvidence } from "../../core/roll/evidence.ts";
import { ownerOf, type RollEntry } from "../../core/roll/roll-entry.ts";
import type { Problem } from "../../core/problem.ts";
import type { Roll } from "../../core/roll/roll.ts";
import {
  GetStatusResponseSchema,
  type GetStatusRequest,
  type GetStatusResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import type { Kube } from "./kube/kube.ts";
import { kubeStatus, type KubeKept } from "./kube/kube-status.ts";
import type { ReloadRefusal } from "./reload-refusals.ts";
import { reloadRefusalMessage } from "./rotation/root-messages.ts";
import { keyLocation, type KeyPlaces } from "./rotation/rotation-key.ts";
import type { Trust } from "./trust.ts";

export interface AdminDependencies extends KeyPlaces {
  readonly version: string;
  readonly startedMs: number;
  readonly trust: () => Trust;
  readonly roll: Roll;
  readonly totals: () => { readonly issued: bigint; readonly refused: bigint };
  readonly servingNotAfterMs: () => number;
  readonly agentsConnected: () => number;
  readonly logEntries: () => number;
  readonly logAlarms: () => number;
  /** Why nothing is signed. */
  readonly problems: () => readonly Problem[];
  readonly reloadRefusals: () => readonly ReloadRefusal[];
  /** The cluster that the server is in. */
  readonly kube?: Kube | undefined;
  readonly kubeKept: () => KubeKept;
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
  const { bundle } = dependencies.trust();
  const { issued, refused } = dependencies.totals();
  const { kube, config } = dependencies;
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
      logEntries: BigInt(dependencies.logEntries()),
      logAlarms: dependencies.logAlarms(),
      problems: dependencies.problems().map(({ detail }) => detail),
    },
    authorities: authoritiesOf(dependencies),
    proxies: dependencies.roll.entries().map(proxyStatus),
    reloadRefusals: dependencies.reloadRefusals().map(reloadRefusalMessage),
    ...(kube !== undefined && {
      kube: kubeStatus(kube, config().tokenCheck, dependencies.kubeKept()),
    }),
  });
}

function authoritiesOf(dependencies: AdminDependencies) {
  const { state } = dependencies.trust();
  const x509 = state.authorities.map((authority) => {
    const { spki } = parseCertificate(authority.chain[0] ?? authority.root);
    const path = [...authority.chain, authority.root];
    // Nothing that it signs is good for longer than the first of its path.
    const notAfterMs = Math.min(...path.map((der) => parseCertificate(der).notAfterMs));
    return {
      id: authority.id,
      state: authority.state,
      kind: "x509",
      keyType: keyTypeOf(spki),
      keyLocation: keyLocation(dependencies, authority),
      notAfter: timestampFromMs(notAfterMs),
    };
  });
  const jwt = state.jwtAuthorities.map(({ keyId, state, spki }) => ({
    id: keyId,
    state,
    kind: "jwt",
    keyType: keyTypeOf(spki),
    keyLocation: "store",
  }));
  return [...x509, ...jwt];
}

function keyTypeOf(spki: Uint8Array): string {
  const { type, bits } = parsePublicKey(spki);
  return type === "rsa" ? `rsa-${bits}` : type;
}

function proxyStatus({ reporter, evidence, connected, lastSeenMs }: RollEntry) {
  const isOwn = evidence.spiffeId === undefined;
  return {
    proxyId: evidence.proxyId,
    agentId: reporter.agentId,
    spiffeId: ownerOf({ reporter, evidence }),
    pod: isOwn ? (reporter.pod ?? "") : "",
    reportedBy: isOwn ? "" : reporter.spiffeId,
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
