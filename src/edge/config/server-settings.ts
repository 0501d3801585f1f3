/**
 * Every setting of the server, once: its key in the configuration file, its flag, its default, and
 * how its text becomes a value. The file's schema, the flags, the help and the reload rules are all
 * read off this table.
 */

import { parseDuration } from "../../core/duration.ts";
import { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import type { ListenAddress } from "./listen-address.ts";
import { BUNDLE_SETTINGS } from "./bundle-settings.ts";
import { EVIDENCE_SETTINGS } from "./evidence-settings.ts";
import { KUBE_SETTINGS } from "./kube-settings.ts";
import { RATE_SETTINGS } from "./rate-settings.ts";
import { ROTATION_SETTINGS } from "./rotation-settings.ts";
import {
  absolutePath,
  boolean,
  dnsName,
  jwksLocation,
  list,
  listenAddress,
  nonEmpty,
  oneOf,
  optional,
  pkcs11Uri,
  positiveDuration,
  positiveInteger,
  scalar,
  type Setting,
  type SettingDescription,
} from "./setting.ts";

export type RootKeyType = "p256" | "p384" | "rsa3072" | "rsa4096";
export type LogLevel = "debug" | "info" | "warn" | "error";

type SettingTable = {
  readonly dataDir: Setting<string>;
  readonly listen: Setting<ListenAddress>;
  readonly trustDomain: Setting<TrustDomain>;
  readonly tokenIssuer: Setting<string | undefined>;
  readonly jwks: Setting<string | undefined>;
  readonly audiences: Setting<readonly string[]>;
  readonly servingDnsNames: Setting<readonly string[]>;
  readonly defaultTtlSeconds: Setting<number>;
  readonly maxTtlSeconds: Setting<number>;
  readonly renewByCertificate: Setting<boolean>;
  readonly jwtSvidTtlSeconds: Setting<number>;
  readonly rootKeyType: Setting<RootKeyType>;
  readonly resourcesDir: Setting<string | undefined>;
  readonly caDir: Setting<string | undefined>;
  readonly caKey: Setting<string | undefined>;
  readonly keyPassphraseFile: Setting<string | undefined>;
  readonly nodeAgents: Setting<readonly SpiffeId[]>;
  readonly restoreWaitSeconds: Setting<number>;
  readonly metricsListen: Setting<ListenAddress>;
  readonly callsInFlight: Setting<number>;
  readonly queueLength: Setting<number>;
  readonly logLevel: Setting<LogLevel>;
} & typeof BUNDLE_SETTINGS &
  typeof RATE_SETTINGS &
  typeof ROTATION_SETTINGS &
  typeof EVIDENCE_SETTINGS &
  typeof KUBE_SETTINGS;

export const SERVER_SETTINGS: SettingTable = {
  dataDir: {
    ...scalar(absolutePath),
    key: "dataDir",
    flag: "data-dir",
    valueName: "DIR",
    help: "directory of keys, log and sockets, mode 0700, made if missing",
    reloadable: false,
  },
  listen: {
    ...scalar(listenAddress),
    key: "listen",
    flag: "listen",
    valueName: "HOST:PORT",
    help: "where the CA serves gRPC over TLS",
    defaults: ["0.0.0.0:15012"],
    reloadable: false,
  },
  trustDomain: {
    ...scalar((text) => TrustDomain.parse(text)),
    key: "trustDomain",
    flag: "trust-domain",
    valueName: "NAME",
    help: "SPIFFE trust domain of every certificate",
    defaults: ["cluster.local"],
    reloadable: false,
  },
  tokenIssuer: {
    ...optional(nonEmpty),
    key: "tokens.issuer",
    flag: "token-issuer",
    valueName: "ISSUER",
    help: "the exact iss claim of the cluster's service-account tokens, if there is a cluster",
    reloadable: true,
  },
  jwks: {
    ...optional(jwksLocation),
    key: "tokens.jwks",
    flag: "jwks",
    valueName: "FILE|URL",
    help: "public keys of --token-issuer",
    reloadable: true,
  },
  audiences: {
    ...list(nonEmpty),
    key: "tokens.audiences",
    flag: "audience",
    valueName: "AUDIENCE",
    help: "audience that a token must name; any of several",
    defaults: ["istio-ca"],
    reloadable: true,
  },
  servingDnsNames: {
    ...list(dnsName),
    key: "serving.dnsNames",
    flag: "serving-dns-name",
    valueName: "NAME",
    help: "DNS name in the server's own certificate",
    defaults: ["localhost", "istiod.istio-system.svc"],
    reloadable: true,
  },
  defaultTtlSeconds: {
    ...scalar(positiveDuration),
    key: "certificates.defaultTtl",
    flag: "default-ttl",
    valueName: "DURATION",
    help: "life of a certificate when the request names none",
    defaults: ["24h"],
    reloadable: true,
  },
  maxTtlSeconds: {
    ...scalar(positiveDuration),
    key: "certificates.maxTtl",
    flag: "max-ttl",
    valueName: "DURATION",
    help: "longest life that a request may name",
    defaults: ["90d"],
    reloadable: true,
  },
  renewByCertificate: {
    ...boolean(),
    key: "certificates.renewByCertificate",
    flag: "renew-by-certificate",
    valueName: "BOOL",
    help: "let what a join token enrolled renew by its certificate, for 7 days from the token",
    defaults: ["false"],
    reloadable: true,
  },
  jwtSvidTtlSeconds: {
    ...scalar(positiveDuration),
    key: "jwt.ttl",
    flag: "jwt-ttl",
    valueName: "DURATION",
    help: "life of a JWT-SVID; a request may name a shorter one",
    defaults: ["5m"],
    reloadable: true,
  },
  rootKeyType: {
    ...oneOf("p256", "p384", "rsa3072", "rsa4096"),
    key: "certificates.rootKeyType",
    flag: "root-key-type",
    valueName: "TYPE",
    help: "key of an authority made from now on",
    defaults: ["p256"],
    reloadable: false,
  },
  resourcesDir: {
    ...optional(absolutePath),
    key: "resources",
    flag: "resources",
    valueName: "DIR",
    help: "objects of Istio in YAML files, beside those that are applied; read again when they change",
    reloadable: false,
  },
  caDir: {
    ...optional(absolutePath),
    key: "ca.dir",
    flag: "ca-dir",
    valueName: "DIR",
    help: "an operator's own CA, in the files of Istio's cacerts or of a TLS secret",
    reloadable: false,
  },
  caKey: {
    ...optional(pkcs11Uri),
    key: "ca.key",
    flag: "ca-key",
    valueName: "URI",
    help: "pkcs11: URI of the CA's key, where it is not a file of --ca-dir",
    reloadable: false,
  },
  keyPassphraseFile: {
    ...optional(absolutePath),
    key: "ca.keyPassphraseFile",
    flag: "key-passphrase-file",
    valueName: "FILE",
    help: "passphrase of the CA's key; keys in --data-dir are encrypted with it, too",
    reloadable: false,
  },
  nodeAgents: {
    ...list((text) => SpiffeId.parse(text)),
    key: "nodeAgents",
    flag: "node-agent",
    valueName: "SPIFFE_ID",
    help: "who may ask for the certificates of several workloads at once, with a token of each",
    defaults: [],
    reloadable: true,
  },
  ...BUNDLE_SETTINGS,
  restoreWaitSeconds: {
    ...scalar(parseDuration),
    key: "restore.wait",
    flag: "restore-wait",
    valueName: "DURATION",
    help: "after a restore: how long agents are heard before anything is signed for workloads",
    defaults: ["2m"],
    reloadable: false,
  },
  metricsListen: {
    ...scalar(listenAddress),
    key: "metrics.listen",
    flag: "metrics-listen",
    valueName: "HOST:PORT",
    help: "where metrics and health are served over HTTP",
    defaults: ["127.0.0.1:15014"],
    reloadable: false,
  },
  callsInFlight: {
    ...scalar(positiveInteger),
    key: "limits.callsInFlight",
    flag: "calls-in-flight",
    valueName: "N",
    help: "signing requests worked on at the same time",
    defaults: ["96"],
    reloadable: true,
  },
  queueLength: {
    ...scalar(positiveInteger),
    key: "limits.queueLength",
    flag: "queue-length",
    valueName: "N",
    help: "signing requests that may wait; more are refused with a retry hint",
    defaults: ["4096"],
    reloadable: true,
  },
  ...RATE_SETTINGS,
  ...ROTATION_SETTINGS,
  ...EVIDENCE_SETTINGS,
  ...KUBE_SETTINGS,
  logLevel: {
    ...oneOf("debug", "info", "warn", "error"),
    key: "log.level",
    flag: "log-level",
    valueName: "LEVEL",
    help: "least severe message that is logged",
    defaults: ["info"],
    reloadable: true,
  },
};

/** All settings, in the order of the documentation. */
export function serverSettings(): readonly SettingDescription[] {
  return Object.values(SERVER_SETTINGS);
}
