/** What a configuration says of the cluster, and what of that means nothing together. */

import { ConfigError } from "./config-error.ts";
import type { TokenCheck } from "../../core/kube/who/effective-mode.ts";
import { KUBE_SETTINGS, type Guard, type PodAddressCheck } from "./kube-settings.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { Setting, SettingDescription } from "./setting.ts";

export interface KubeConfig {
  /** `off`, `in-cluster`, or the absolute path of a kubeconfig. */
  readonly kubernetes: string;
  readonly kubeContext: string | undefined;
  readonly kubeNamespace: string | undefined;
  readonly tokenCheck: TokenCheck;
  readonly kubeStalenessSeconds: number;
  readonly podAddress: PodAddressCheck;
  /** NAMESPACE/NAME */
  readonly trustedNodeAccounts: readonly string[];
  readonly clusterDomain: string;
  readonly policyStatus: boolean;
  /** `off` for none. */
  readonly bundleConfigMap: string;
  readonly trustSecret: string | undefined;
  readonly adminListen: ListenAddress | undefined;
  readonly adminAudience: string;
  readonly guard: Guard;
  readonly guardListen: ListenAddress;
}

export function readKubeConfig(read: <T>(setting: Setting<T>) => T): KubeConfig {
  return {
    kubernetes: read(KUBE_SETTINGS.kubernetes),
    kubeContext: read(KUBE_SETTINGS.kubeContext),
    kubeNamespace: read(KUBE_SETTINGS.kubeNamespace),
    tokenCheck: read(KUBE_SETTINGS.tokenCheck),
    kubeStalenessSeconds: read(KUBE_SETTINGS.kubeStalenessSeconds),
    podAddress: read(KUBE_SETTINGS.podAddress),
    trustedNodeAccounts: read(KUBE_SETTINGS.trustedNodeAccounts),
    clusterDomain: read(KUBE_SETTINGS.clusterDomain),
    policyStatus: read(KUBE_SETTINGS.policyStatus),
    bundleConfigMap: read(KUBE_SETTINGS.bundleConfigMap),
    trustSecret: read(KUBE_SETTINGS.trustSecret),
    adminListen: read(KUBE_SETTINGS.adminListen),
    adminAudience: read(KUBE_SETTINGS.adminAudience),
    guard: read(KUBE_SETTINGS.guard),
    guardListen: read(KUBE_SETTINGS.guardListen),
  };
}

interface Judged extends KubeConfig {
  readonly tokenIssuer: string | undefined;
  readonly jwks: string | undefined;
  readonly audiences: readonly string[];
}

/**
 * @param locate where the operator gave it @default its flag
 * @throws ConfigError
 */
export function assertKubeSettings(
  config: Judged,
  locate: (setting: SettingDescription) => string = ({ flag }) => `--${flag}`,
): void {
  const { kubernetes, kubeContext, tokenIssuer, jwks, audiences, adminAudience } = config;
  const conflict = (setting: SettingDescription, reason: string, hint: string): ConfigError =>
    new ConfigError("config-conflict", locate(setting), reason, { hint });
  if (kubernetes === "off") {
    const alone = inClusterOnly.find(({ isGiven }) => isGiven(config));
    if (alone === undefined) return;
    const hint = "--kubernetes in-cluster, or the path of a kubeconfig";
    throw conflict(alone.setting, "expected --kubernetes beside it", hint);
  }
  const given = jwks === undefined ? "--token-issuer" : "--jwks";
  if (jwks !== undefined || tokenIssuer !== undefined) {
    const hint = `leave ${given} out: the API server says its issuer, and publishes its own keys`;
    throw conflict(KUBE_SETTINGS.kubernetes, `expected no ${given} beside it`, hint);
  }
  if (kubernetes === "in-cluster" && kubeContext !== undefined) {
    const hint = "contexts are of a kubeconfig: --kubernetes FILE";
    throw conflict(KUBE_SETTINGS.kubeContext, "expected a kubeconfig beside it", hint);
  }
  if (audiences.includes(adminAudience)) {
    const reason = `expected none of the workloads' audiences, got ${JSON.stringify(adminAudience)}`;
    const hint = "else each workload's token would be one of an operator";
    throw conflict(KUBE_SETTINGS.adminAudience, reason, hint);
  }
}

/**
 * What of it means nothing in this cluster: a pod's own token is for the API server, whose issuer is its audience by default.
 * @param issuers as the API server says
 * @throws ConfigError
 */
export function assertAdminAudience(adminAudience: string, issuers: readonly string[]): void {
  if (!issuers.includes(adminAudience)) return;
  const { flag } = KUBE_SETTINGS.adminAudience;
  const reason = `expected another audience than the API server's own, got ${JSON.stringify(adminAudience)}`;
  const hint = "else the token that each pod has would be one of an operator";
  throw new ConfigError("config-conflict", `--${flag}`, reason, { hint });
}

const inClusterOnly: readonly {
  readonly setting: SettingDescription;
  readonly isGiven: (config: KubeConfig) => boolean;
}[] = [
  { setting: KUBE_SETTINGS.adminListen, isGiven: ({ adminListen }) => adminListen !== undefined },
  { setting: KUBE_SETTINGS.guard, isGiven: ({ guard }) => guard !== "off" },
  { setting: KUBE_SETTINGS.trustSecret, isGiven: ({ trustSecret }) => trustSecret !== undefined },
  { setting: KUBE_SETTINGS.kubeContext, isGiven: ({ kubeContext }) => kubeContext !== undefined },
  { setting: KUBE_SETTINGS.tokenCheck, isGiven: ({ tokenCheck }) => tokenCheck !== "watched" },
  { setting: KUBE_SETTINGS.podAddress, isGiven: ({ podAddress }) => podAddress !== "warn" },
  { setting: KUBE_SETTINGS.policyStatus, isGiven: ({ policyStatus }) => !policyStatus },
  {
    setting: KUBE_SETTINGS.trustedNodeAccounts,
    isGiven: ({ trustedNodeAccounts }) => trustedNodeAccounts.length > 0,
  },
];
