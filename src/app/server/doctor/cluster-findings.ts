/** What a server finds of the cluster that it is in, as its own account may ask: its watches, its rights, and what stands there for it. */

import type { BundleMapFacts } from "../../../core/doctor/check-cluster.ts";
import { checkWatches } from "../../../core/doctor/check-watches.ts";
import { checkClocks } from "../../../core/doctor/check-times.ts";
import {
  judgeCluster,
  noFacts,
  type ClusterContext,
  type ClusterFacts,
  type ClusterSettings,
} from "../../../core/doctor/cluster-facts.ts";
import {
  judge,
  known,
  unknown,
  type Asked,
  type DoctorFinding,
} from "../../../core/doctor/finding.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { ShownTls } from "../../../edge/rpc/port-probe.ts";
import type { Kube } from "../kube/kube.ts";
import type { NamedBundleMaps } from "../kube/kube-status.ts";
import type { TrustSecret } from "../kube/trust/trust-secret.ts";
import type { DiagnosisOptions } from "./diagnosis-options.ts";

/** @param guard what the webhook's port has shown */
export async function findInCluster(
  options: DiagnosisOptions,
  guard: ShownTls | undefined,
  signal: AbortSignal,
): Promise<readonly DoctorFinding[]> {
  const { parts, nowMs } = options;
  const { kube, trust, trustSecret, evidence } = parts;
  const { config } = parts.live;
  const none = unknown("the server is in no cluster");
  if (kube === undefined) {
    const agents = { base: "the server", readings: [], agentsMs: agentsMsOf(evidence) };
    return [
      ...judgeCluster(noFacts(none), { settings: none, roots: none }),
      ...judge("clocks", known(agents), checkClocks),
      ...judge("watches", none, checkWatches),
    ];
  }
  const { roots } = trust.current.bundle;
  const settings = known(settingsOf(kube.namespace, config, kube.keys.issuers));
  const facts = await read(kube, settings, parts.bundleMaps.state(), nowMs, signal);
  return [
    ...judgeCluster(facts, {
      settings,
      roots: known(roots.map(rootSha256)),
      shown: guard,
      trust: trustSecret && trustOf(trustSecret),
    }),
    ...clockFindings(facts.clock, agentsMsOf(evidence)),
    ...watchFindings(kube, config),
  ];
}

function trustOf(secret: TrustSecret): ClusterContext["trust"] {
  const { problems, isBehind } = secret;
  return { problems, isBehind, shortfall: secret.report().shortfall };
}

async function read(
  { connection }: Kube,
  settings: Asked<ClusterSettings>,
  maps: NamedBundleMaps | undefined,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<ClusterFacts> {
  const { readCluster } = await import("../../../edge/kube/diagnosis/read-cluster.ts");
  // Its watch of them knows: they are not listed again.
  const mapSha256 = unknown("the server has not begun to write them");
  const subject = undefined;
  const facts = await readCluster({ connection, settings, subject, mapSha256, nowMs, signal });
  return maps === undefined ? facts : { ...facts, maps: known(mapFacts(maps)) };
}

function mapFacts(state: NamedBundleMaps): BundleMapFacts {
  const { name, total, current, behind: names, failing, contested, contestedBy } = state;
  const rivals = new Map(contested === 0 ? [] : [[contestedBy, contested]]);
  return { name, total, behind: total - current, names, rivals, failing };
}

/** @param issuers undefined where the server has not been asked */
export function settingsOf(
  namespace: string,
  config: ServerConfig,
  issuers?: readonly string[],
): ClusterSettings {
  const { bundleConfigMap, policyStatus, trustSecret, guard } = config;
  const { adminListen, adminAudience, audiences } = config;
  return {
    namespace,
    bundleConfigMap,
    policyStatus,
    trustSecret,
    hasOperators: adminListen !== undefined,
    hasGuard: guard !== "off",
    issuers,
    audiences,
    adminAudience,
    guard,
  };
}

/** Undefined where none has told its clock. */
function agentsMsOf({ agents, skew }: DiagnosisOptions["parts"]["evidence"]): number | undefined {
  return agents.count() === 0 && skew.skewMs === 0 ? undefined : skew.skewMs;
}

/** Agents tell theirs with each stream, cluster or not. */
function clockFindings(
  clock: ClusterFacts["clock"],
  agentsMs: number | undefined,
): readonly DoctorFinding[] {
  const readings = clock.kind === "known" ? [clock.value] : [];
  const held = judge("clocks", known({ base: "the server", readings, agentsMs }), checkClocks);
  return clock.kind === "known" ? held : [...held, ...judge("clocks", clock, () => [])];
}

function watchFindings(kube: Kube, config: ServerConfig): readonly DoctorFinding[] {
  const watches = kube.watches().map(({ failure, ...watch }) => ({
    ...watch,
    failure: failure?.message ?? "",
    hint: failure?.hint ?? "",
  }));
  const staleMaxMs = config.kubeStalenessSeconds * 1_000;
  const check = { tokenCheck: kube.mode(), tokenCheckConfigured: config.tokenCheck };
  const facts = { watches, liveness: kube.liveness(), staleMaxMs, ...check };
  return judge("watches", known(facts), checkWatches);
}
