/** A server in a cluster of Kubernetes: how it reaches the API server, what it believes of it, and what it writes there. */

import { isDnsLabel, isDnsSubdomain } from "../../core/identity/service-account.ts";
import { PortcullisError } from "../../core/error.ts";
import type { TokenCheck } from "../../core/kube/who/effective-mode.ts";
import type { ListenAddress } from "./listen-address.ts";
import {
  absolutePath,
  boolean,
  dnsName,
  list,
  listenAddress,
  nonEmpty,
  oneOf,
  optional,
  positiveDuration,
  scalar,
  type Setting,
} from "./setting.ts";

/** A caller whose address is not one of its pod's. */
export type PodAddressCheck = "warn" | "refuse" | "off";
/** A STRICT that somebody applies while callers would break. */
export type Guard = "off" | "warn" | "enforce";

interface KubeSettings {
  readonly kubernetes: Setting<string>;
  readonly kubeContext: Setting<string | undefined>;
  readonly kubeNamespace: Setting<string | undefined>;
  readonly tokenCheck: Setting<TokenCheck>;
  readonly kubeStalenessSeconds: Setting<number>;
  readonly podAddress: Setting<PodAddressCheck>;
  readonly trustedNodeAccounts: Setting<readonly string[]>;
  readonly clusterDomain: Setting<string>;
  readonly policyStatus: Setting<boolean>;
  readonly bundleConfigMap: Setting<string>;
  readonly trustSecret: Setting<string | undefined>;
  readonly adminListen: Setting<ListenAddress | undefined>;
  readonly adminAudience: Setting<string>;
  readonly guard: Setting<Guard>;
  readonly guardListen: Setting<ListenAddress>;
}

export const KUBE_SETTINGS: KubeSettings = {
  kubernetes: {
    ...scalar((text) => (text === "off" || text === "in-cluster" ? text : absolutePath(text))),
    key: "kubernetes.api",
    flag: "kubernetes",
    valueName: "off|in-cluster|KUBECONFIG",
    help: "the cluster whose service accounts and pods are believed, and whose objects are the configuration",
    defaults: ["off"],
    reloadable: false,
  },
  kubeContext: {
    ...optional(nonEmpty),
    key: "kubernetes.context",
    flag: "kube-context",
    valueName: "NAME",
    help: "context of the kubeconfig; its current one if not given",
    reloadable: false,
  },
  kubeNamespace: {
    ...optional(dnsLabel),
    key: "kubernetes.namespace",
    flag: "kube-namespace",
    valueName: "NAME",
    help: "the server's own namespace; in a pod the pod's, else portcullis-system",
    reloadable: false,
  },
  tokenCheck: {
    ...oneOf("watched", "review", "review-always"),
    key: "kubernetes.tokenCheck",
    flag: "token-check",
    valueName: "MODE",
    help: "how it is known that a token's account and pod exist: by watches, or by asking the API server",
    defaults: ["watched"],
    reloadable: false,
  },
  kubeStalenessSeconds: {
    ...scalar(positiveDuration),
    key: "kubernetes.stalenessMax",
    flag: "kube-staleness-max",
    valueName: "DURATION",
    help: "watches that are further behind decide nothing: the API server is asked",
    defaults: ["10s"],
    reloadable: false,
  },
  podAddress: {
    ...oneOf("warn", "refuse", "off"),
    key: "kubernetes.podAddress",
    flag: "pod-address",
    valueName: "MODE",
    help: "what becomes of a token that comes from another address than its pod's",
    defaults: ["warn"],
    reloadable: false,
  },
  trustedNodeAccounts: {
    ...list(accountName),
    key: "kubernetes.trustedNodeAccounts",
    flag: "trusted-node-account",
    valueName: "NAMESPACE/NAME",
    help: "whose pods may ask for the certificates of the pods on their own node (ztunnel)",
    defaults: [],
    reloadable: false,
  },
  clusterDomain: {
    ...scalar(dnsName),
    key: "kubernetes.clusterDomain",
    flag: "cluster-domain",
    valueName: "NAME",
    help: "the DNS domain of the cluster's services",
    defaults: ["cluster.local"],
    reloadable: false,
  },
  policyStatus: {
    ...boolean(),
    key: "kubernetes.policyStatus",
    flag: "policy-status",
    valueName: "BOOL",
    help: "whether PeerAuthentications have conditions that say how far they are",
    defaults: ["true"],
    reloadable: false,
  },
  bundleConfigMap: {
    ...scalar((text) => (text === "off" ? text : dnsSubdomain(text))),
    key: "kubernetes.bundleConfigMap",
    flag: "bundle-config-map",
    valueName: "NAME|off",
    help: "a ConfigMap with the roots (root-cert.pem), kept in every namespace",
    defaults: ["istio-ca-root-cert"],
    reloadable: false,
  },
  trustSecret: {
    ...optional(dnsSubdomain),
    key: "kubernetes.trustSecret",
    flag: "trust-secret",
    valueName: "NAME",
    help: "a Secret that has the trust state and its keys, with a Lease of the same name; in --data-dir alone if not given",
    reloadable: false,
  },
  adminListen: {
    ...optional(listenAddress),
    key: "admin.listen",
    flag: "admin-listen",
    valueName: "HOST:PORT",
    help: "where operators with a Kubernetes token are served over TLS; off if not given",
    reloadable: false,
  },
  adminAudience: {
    ...scalar(nonEmpty),
    key: "admin.audience",
    flag: "admin-audience",
    valueName: "AUDIENCE",
    help: "audience that an operator's token must name; none of a workload's",
    defaults: ["portcullis-admin"],
    reloadable: false,
  },
  guard: {
    ...oneOf("off", "warn", "enforce"),
    key: "kubernetes.guard",
    flag: "guard",
    valueName: "MODE",
    help: "what the admission webhook does about a STRICT whose verdict is not SAFE",
    defaults: ["off"],
    reloadable: false,
  },
  guardListen: {
    ...scalar(listenAddress),
    key: "kubernetes.guardListen",
    flag: "guard-listen",
    valueName: "HOST:PORT",
    help: "where the admission webhook is served",
    defaults: ["0.0.0.0:15017"],
    reloadable: false,
  },
};

function dnsLabel(text: string): string {
  if (isDnsLabel(text)) return text;
  throw expected("a DNS label", text);
}

function dnsSubdomain(text: string): string {
  if (isDnsSubdomain(text)) return text;
  throw expected("a name of Kubernetes", text);
}

function accountName(text: string): string {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (isDnsLabel(namespace) && isDnsSubdomain(name) && rest.length === 0) return text;
  throw expected("NAMESPACE/NAME of a service account", text);
}

function expected(what: string, text: string): PortcullisError<"config-invalid-value"> {
  const got = JSON.stringify(text);
  return new PortcullisError("config-invalid-value", `expected ${what}, got ${got}`);
}
