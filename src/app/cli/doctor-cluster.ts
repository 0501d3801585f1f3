/** What a cluster says of a server in it, by a kubeconfig, whether or not the server can be reached. */

import { PortcullisError } from "../../core/error.ts";
import { ownName } from "../../core/kube/own-names.ts";
import { askedOf } from "../../core/doctor/asked.ts";
import { checkPods, checkSettings, type SettingsFacts } from "../../core/doctor/check-cluster.ts";
import {
  checkOwnClock,
  type ClockFacts,
  type ClockReading,
} from "../../core/doctor/check-times.ts";
import { judgeCluster, type ClusterSettings } from "../../core/doctor/cluster-facts.ts";
import {
  judge,
  known,
  unknown,
  type Asked,
  type DoctorFinding,
} from "../../core/doctor/finding.ts";
import { accountSubject } from "../../edge/kube/diagnosis/access-facts.ts";
import { readOwnRoots, readServerText } from "../../edge/kube/diagnosis/installed-facts.ts";
import { readServerPods } from "../../edge/kube/diagnosis/server-pods.ts";
import { readCluster } from "../../edge/kube/diagnosis/read-cluster.ts";
import { KubeConnection } from "../../edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../edge/kube/kubeconfig-access.ts";
import type { Environment } from "../../edge/config/paths.ts";
import { settingsOf } from "../server/doctor/cluster-findings.ts";
import { kubeconfigFiles, type KubeValues } from "./kube-flags.ts";

export interface ClusterAnswer {
  readonly findings: readonly DoctorFinding[];
  /** Whether the API server has said anything at all. */
  readonly isHeard: boolean;
}

export interface ClusterReach {
  readonly env: Environment;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** Each question has 5 s, and lists more. */
const deadlineMs = 20_000;

/** @throws KubeError `kube-config` */
export async function askCluster(
  flags: KubeValues,
  { env, nowMs, signal }: ClusterReach,
): Promise<ClusterAnswer> {
  const [path = "", ...more] = await kubeconfigFiles(flags, env);
  const access = await kubeconfigAccess({ path, more, context: flags.context });
  const namespace = flags["kube-namespace"] ?? "portcullis-system";
  using connection = new KubeConnection({ access });
  const asker = { connection, signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]) };
  const { settings, said } = await clusterSettings(asker, namespace);
  const map = flags["bundle-config-map"] ?? mapNameOf(settings);
  const own = await askedOf(() => readOwnRoots(asker, namespace, map));
  const [facts, pods] = await Promise.all([
    readCluster({
      ...asker,
      settings,
      subject: accountSubject(namespace, ownName),
      mapSha256: own.kind === "known" ? known(own.value.sha256) : own,
      nowMs,
    }),
    askedOf(() => readServerPods(asker, namespace)),
  ]);
  const roots = own.kind === "known" ? known(own.value.roots) : own;
  const clock = facts.clock.kind === "known" ? known(mirrored(facts.clock.value)) : facts.clock;
  const findings = [
    ...judge("pods", pods, checkPods),
    ...judge("settings", said, checkSettings),
    ...judgeCluster(facts, { settings, roots }),
    ...judge("own-clock", clock, checkOwnClock),
  ];
  signal.throwIfAborted();
  return { findings, isHeard: facts.apiServer.kind === "known" || pods.kind === "known" };
}

/** The API server's clock as it is seen from here -> ours as it is seen from there. */
function mirrored({ whose: base, aheadMs, errorMs }: ClockReading): ClockFacts {
  return { base, readings: [{ whose: "this machine", aheadMs: -aheadMs, errorMs }] };
}

function mapNameOf(settings: Asked<ClusterSettings>): string {
  const name = settings.kind === "known" ? settings.value.bundleConfigMap : "off";
  return name === "off" ? "istio-ca-root-cert" : name;
}

interface SaidSettings {
  readonly settings: Asked<ClusterSettings>;
  /** Of the file that has them. */
  readonly said: Asked<SettingsFacts>;
}

/** As the server was started with them, by the ConfigMap that its pod mounts. */
async function clusterSettings(
  asker: Parameters<typeof readServerText>[0],
  namespace: string,
): Promise<SaidSettings> {
  const text = await askedOf(() => readServerText(asker, namespace));
  if (text.kind === "unknown") return { settings: text, said: text };
  const name = `${namespace}/${ownName}`;
  try {
    const { parseConfigFile } = await import("../../edge/config/config-file.ts");
    const { resolveServerConfig } = await import("../../edge/config/server-config.ts");
    const file = parseConfigFile("server.yaml", text.value);
    const settings = settingsOf(namespace, resolveServerConfig([file], file.identities));
    return { settings: known(settings), said: known({ name, fault: undefined }) };
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    const fault = { detail: error.message, hint: error.hint ?? "" };
    const settings = unknown("the server's settings cannot be read: the check settings says why");
    return { settings, said: known({ name, fault }) };
  }
}
