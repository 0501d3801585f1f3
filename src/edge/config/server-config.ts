/**
 * The server's configuration: texts from flags, a file and the caller's presets become one frozen
 * value, or a ConfigError that names the place. Nothing else in the server reads a flag or the
 * file.
 */

import { PortcullisError } from "../../core/error.ts";
import type { RateLimitConfig } from "../../core/issuance/rate-limits.ts";
import type { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import { ConfigError } from "./config-error.ts";
import { assertOtherIssuers, NO_IDENTITIES, type IdentityConfig } from "./identity-config.ts";
import { assertKubeSettings, readKubeConfig, type KubeConfig } from "./kube-config.ts";
import { isLoopback, type ListenAddress } from "./listen-address.ts";
import { rateValues, resolveRates } from "./rate-settings.ts";
import {
  SERVER_SETTINGS,
  serverSettings,
  type LogLevel,
  type RootKeyType,
} from "./server-settings.ts";
import type { Setting, SettingDescription, SettingSource } from "./setting.ts";

export interface ServerConfig extends KubeConfig {
  /** Absolute path. */
  readonly dataDir: string;
  readonly listen: ListenAddress;
  readonly trustDomain: TrustDomain;
  /** Of a cluster's service accounts; undefined, with `jwks`, where there is none. */
  readonly tokenIssuer: string | undefined;
  /** Absolute path or http(s) URL. */
  readonly jwks: string | undefined;
  readonly audiences: readonly string[];
  readonly identities: IdentityConfig;
  readonly servingDnsNames: readonly string[];
  readonly defaultTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly renewByCertificate: boolean;
  readonly jwtSvidTtlSeconds: number;
  readonly rootKeyType: RootKeyType;
  /** Absolute path. */
  readonly resourcesDir: string | undefined;
  /** Absolute path. */
  readonly caDir: string | undefined;
  /** `pkcs11:` URI. */
  readonly caKey: string | undefined;
  /** Absolute path. */
  readonly keyPassphraseFile: string | undefined;
  readonly nodeAgents: readonly SpiffeId[];
  readonly bundleListen: ListenAddress | undefined;
  /** Absolute path. */
  readonly bundleCertificate: string | undefined;
  /** Absolute path. */
  readonly bundleKey: string | undefined;
  readonly bundleRefreshHintSeconds: number;
  /** After a restore; 0 for not at all. */
  readonly restoreWaitSeconds: number;
  /** Certificates of another authority that are asked to be renewed, each second. */
  readonly reissuePerSecond: number;
  /** Classes of readers of the roots that exist and that nobody can observe. */
  readonly unobserved: readonly string[];
  readonly evidenceRetentionSeconds: number;
  /** At most the retention. */
  readonly lookBackSeconds: number;
  readonly metricsListen: ListenAddress;
  readonly limits: ServerLimits;
  readonly logLevel: LogLevel;
}

export interface ServerLimits {
  readonly callsInFlight: number;
  readonly queueLength: number;
  readonly rates: RateLimitConfig;
}

/** Keys of settings that differ: those a running server applies, and those it cannot. */
export interface ConfigDiff {
  readonly apply: readonly string[];
  readonly needRestart: readonly string[];
}

/** Texts by flag name without dashes; what was not given is absent, undefined or empty. */
export type FlagTexts = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Flags go before the file, the file before the presets of the caller, those before the defaults.
 * @throws ConfigError, PrivateFileError
 */
export async function loadServerConfig(options: {
  readonly flags: FlagTexts;
  readonly configFile: string | undefined;
  readonly presets?: FlagTexts;
}): Promise<ServerConfig> {
  const sources = [settingsFromFlags(options.flags)];
  let identities = NO_IDENTITIES;
  if (options.configFile !== undefined) {
    // Only now: the libraries for YAML and schemas cost more than the rest of the start.
    const { readConfigFile } = await import("./config-file.ts");
    const file = await readConfigFile(options.configFile);
    sources.push(file);
    ({ identities } = file);
  }
  return resolveServerConfig([...sources, settingsFromFlags(options.presets ?? {})], identities);
}

export function settingsFromFlags(texts: FlagTexts): SettingSource {
  const values = new Map<string, readonly string[]>();
  for (const { flag, key } of serverSettings()) {
    const given = [texts[flag] ?? []].flat();
    if (given.length > 0) values.set(key, given);
  }
  return { values, locate: ({ flag }) => `--${flag}` };
}

/** @param sources most important first; a setting comes whole from the first source that has it */
export function resolveServerConfig(
  sources: readonly SettingSource[],
  identities: IdentityConfig = NO_IDENTITIES,
): ServerConfig {
  const read = <T>(setting: Setting<T>): T => readSetting(setting, sources);
  const defaultTtlSeconds = read(SERVER_SETTINGS.defaultTtlSeconds);
  const maxTtlSeconds = read(SERVER_SETTINGS.maxTtlSeconds);
  if (defaultTtlSeconds > maxTtlSeconds) {
    const reason = `expected at most ${maxTtlSeconds}s (the longest), got ${defaultTtlSeconds}s`;
    throw new ConfigError(
      "config-conflict",
      locate(SERVER_SETTINGS.defaultTtlSeconds, sources),
      reason,
    );
  }
  const evidenceRetentionSeconds = read(SERVER_SETTINGS.evidenceRetentionSeconds);
  const lookBackSeconds = read(SERVER_SETTINGS.lookBackSeconds);
  if (lookBackSeconds > evidenceRetentionSeconds) {
    const reason = `expected at most ${evidenceRetentionSeconds}s (the retention), got ${lookBackSeconds}s`;
    const { flag } = SERVER_SETTINGS.evidenceRetentionSeconds;
    const at = locate(SERVER_SETTINGS.lookBackSeconds, sources);
    throw new ConfigError("config-conflict", at, reason, {
      hint: `give both, or a longer --${flag}`,
    });
  }
  const kube = readKubeConfig(read);
  const [jwks, audiences] = [read(SERVER_SETTINGS.jwks), read(SERVER_SETTINGS.audiences)];
  const tokenIssuer = read(SERVER_SETTINGS.tokenIssuer);
  const tokens = { tokenIssuer, jwks, audiences };
  assertKubeSettings({ ...kube, ...tokens }, (setting) => locate(setting, sources));
  for (const [name, needed] of dependentSettings) {
    const setting: Setting<unknown> = SERVER_SETTINGS[name];
    if (read(setting) === undefined || read<unknown>(SERVER_SETTINGS[needed]) !== undefined)
      continue;
    const { flag } = SERVER_SETTINGS[needed];
    throw new ConfigError(
      "config-conflict",
      locate(setting, sources),
      `expected --${flag} beside it`,
    );
  }
  assertOtherIssuers(identities, tokenIssuer);
  return Object.freeze({
    dataDir: read(SERVER_SETTINGS.dataDir),
    listen: read(SERVER_SETTINGS.listen),
    trustDomain: read(SERVER_SETTINGS.trustDomain),
    tokenIssuer,
    jwks,
    audiences,
    identities,
    servingDnsNames: read(SERVER_SETTINGS.servingDnsNames),
    defaultTtlSeconds,
    maxTtlSeconds,
    renewByCertificate: read(SERVER_SETTINGS.renewByCertificate),
    jwtSvidTtlSeconds: read(SERVER_SETTINGS.jwtSvidTtlSeconds),
    rootKeyType: read(SERVER_SETTINGS.rootKeyType),
    resourcesDir: read(SERVER_SETTINGS.resourcesDir),
    caDir: read(SERVER_SETTINGS.caDir),
    caKey: read(SERVER_SETTINGS.caKey),
    keyPassphraseFile: read(SERVER_SETTINGS.keyPassphraseFile),
    nodeAgents: read(SERVER_SETTINGS.nodeAgents),
    bundleListen: read(SERVER_SETTINGS.bundleListen),
    bundleCertificate: read(SERVER_SETTINGS.bundleCertificate),
    bundleKey: read(SERVER_SETTINGS.bundleKey),
    bundleRefreshHintSeconds: read(SERVER_SETTINGS.bundleRefreshHintSeconds),
    restoreWaitSeconds: read(SERVER_SETTINGS.restoreWaitSeconds),
    reissuePerSecond: read(SERVER_SETTINGS.reissuePerSecond),
    unobserved: read(SERVER_SETTINGS.unobserved),
    evidenceRetentionSeconds,
    lookBackSeconds,
    ...kube,
    metricsListen: read(SERVER_SETTINGS.metricsListen),
    limits: Object.freeze({
      callsInFlight: read(SERVER_SETTINGS.callsInFlight),
      queueLength: read(SERVER_SETTINGS.queueLength),
      rates: resolveRates({ read, locate: (setting) => locate(setting, sources) }),
    }),
    logLevel: read(SERVER_SETTINGS.logLevel),
  });
}

/** The first means nothing without the second. */
const dependentSettings = [
  ["tokenIssuer", "jwks"],
  ["jwks", "tokenIssuer"],
  ["caKey", "caDir"],
  ["bundleCertificate", "bundleKey"],
  ["bundleKey", "bundleCertificate"],
  ["bundleCertificate", "bundleListen"],
] as const;

/** For `dev`, whose token issuer would give anybody who reaches it any identity. */
export function assertLoopbackOnly(config: ServerConfig): void {
  for (const setting of ["listen", "metricsListen", "bundleListen", "adminListen"] as const) {
    const address = config[setting];
    if (address === undefined || isLoopback(address)) continue;
    const { flag } = SERVER_SETTINGS[setting];
    const reason = `expected a loopback address, got ${address.host}`;
    throw new ConfigError("config-conflict", `--${flag}`, reason, {
      hint: `--${flag} 127.0.0.1:${address.port}, or run portcullis server`,
    });
  }
}

export function diffReloadable(running: ServerConfig, wanted: ServerConfig): ConfigDiff {
  const before = valuesOf(running);
  const after = valuesOf(wanted);
  const apply: string[] = [];
  const needRestart: string[] = [];
  for (const [name, { key, reloadable }] of Object.entries(SERVER_SETTINGS)) {
    if (JSON.stringify(before.get(name)) === JSON.stringify(after.get(name))) continue;
    (reloadable ? apply : needRestart).push(key);
  }
  if (JSON.stringify(running.identities) !== JSON.stringify(wanted.identities)) {
    apply.push("identities");
  }
  return { apply, needRestart };
}

/** By the names of their settings. */
function valuesOf(config: ServerConfig): ReadonlyMap<string, unknown> {
  const { limits } = config;
  return new Map(Object.entries({ ...config, ...limits, ...rateValues(limits.rates) }));
}

function readSetting<T>(setting: Setting<T>, sources: readonly SettingSource[]): T {
  const source = sources.find(({ values }) => values.has(setting.key));
  const texts = source?.values.get(setting.key) ?? setting.defaults;
  const path = locate(setting, sources);
  if (texts === undefined) {
    throw new ConfigError("config-missing-value", path, "required, but not given", {
      hint: `--${setting.flag} ${setting.valueName}, or ${setting.key} in the configuration file`,
    });
  }
  try {
    return setting.parse(texts);
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    throw new ConfigError("config-invalid-value", path, error.message, { cause: error });
  }
}

function locate(setting: SettingDescription, sources: readonly SettingSource[]): string {
  const source = sources.find(({ values }) => values.has(setting.key));
  return source === undefined ? `--${setting.flag}` : source.locate(setting);
}
