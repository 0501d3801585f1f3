/** What an operator sees of the cluster that a server is in, and of what the server keeps there. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { TokenCheck } from "../../../core/kube/who/effective-mode.ts";
import type { KubeStatusSchema } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { BundleMapsState } from "./writes/bundle-maps-options.ts";
import type { Kube, WatchReport } from "./kube.ts";
import type { GuardReport } from "./guard/serve-guard.ts";
import type { TrustSecretReport } from "./trust/trust-secret-options.ts";

/** What the server keeps in its cluster; undefined where it keeps it not, or not yet. */
export interface KubeKept {
  readonly bundleMaps: NamedBundleMaps | undefined;
  readonly trustSecret: TrustSecretReport | undefined;
  readonly guard: GuardReport | undefined;
}

export interface NamedBundleMaps extends BundleMapsState {
  /** Of each of the ConfigMaps. */
  readonly name: string;
}

export function kubeStatus(
  kube: Pick<Kube, "connection" | "namespace" | "keys" | "mode" | "watches" | "liveness">,
  configured: TokenCheck,
  { bundleMaps, trustSecret, guard }: KubeKept,
): MessageInitShape<typeof KubeStatusSchema> {
  const liveness = kube.liveness();
  return {
    server: kube.connection.server.origin,
    namespace: kube.namespace,
    issuer: kube.keys.issuers[0],
    tokenCheck: kube.mode(),
    tokenCheckConfigured: configured,
    watches: kube.watches().map(watchStatus),
    livenessProblem: liveness?.detail ?? "",
    livenessHint: liveness?.hint ?? "",
    ...(bundleMaps && { bundleMaps: bundleMapsStatus(bundleMaps) }),
    ...(trustSecret && { trustSecret: trustSecretStatus(trustSecret) }),
    ...(guard && { guard: guardStatus(guard) }),
  };
}

function bundleMapsStatus(state: NamedBundleMaps) {
  const { name, total, current, behind, failing, contested, contestedBy } = state;
  return {
    name,
    total: BigInt(total),
    current: BigInt(current),
    behind: [...behind],
    failing: failing.map(({ namespace, reason: detail, retryMs }) => {
      return { namespace, detail, retryMs: BigInt(Math.round(retryMs)) };
    }),
    contested: BigInt(contested),
    contestedBy,
  };
}

function trustSecretStatus(report: TrustSecretReport) {
  const { name, behindSinceMs, takenOverMs, problem, shortfall, lease } = report;
  const { holder: leaseHolder, isHeld: leaseHeld, untilMs } = lease;
  const said = problem ?? shortfall;
  return {
    name,
    problem: said?.detail ?? "",
    hint: said?.hint ?? "",
    leaseHolder,
    leaseHeld,
    ...(behindSinceMs !== undefined && { behindSince: timestampFromMs(behindSinceMs) }),
    ...(takenOverMs !== undefined && { takenOverAt: timestampFromMs(takenOverMs) }),
    ...(untilMs !== undefined && { leaseUntil: timestampFromMs(Math.round(untilMs)) }),
  };
}

function guardStatus({ mode, isCaCurrent, certificateNotAfterMs }: GuardReport) {
  const caBundle = isCaCurrent === undefined ? "missing" : isCaCurrent ? "current" : "behind";
  return { mode, caBundle, certificateNotAfter: timestampFromMs(certificateNotAfterMs) };
}

function watchStatus({ resource, objects, staleMs, isAbsent, unreadable, failure }: WatchReport) {
  return {
    resource,
    objects: BigInt(objects),
    ...(staleMs !== undefined && { staleMs: BigInt(Math.round(staleMs)) }),
    absent: isAbsent,
    unreadable: BigInt(unreadable),
    failure: failure?.code ?? "",
    detail: failure?.message ?? "",
    hint: failure?.hint ?? "",
  };
}
