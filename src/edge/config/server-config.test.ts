import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { RateLimits } from "../../core/issuance/rate-limits.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { ConfigError, type ConfigErrorCode } from "./config-error.ts";
import {
  assertLoopbackOnly,
  diffReloadable,
  loadServerConfig,
  resolveServerConfig,
  settingsFromFlags,
  type FlagTexts,
  type ServerConfig,
} from "./server-config.ts";
import { serverSettings } from "./server-settings.ts";

const CLUSTER = { "token-issuer": "https://issuer", jwks: "/jwks.json" };
const REQUIRED = { "data-dir": "/data", ...CLUSTER };

function configOf(flags: FlagTexts): ServerConfig {
  return resolveServerConfig([settingsFromFlags({ ...REQUIRED, ...flags })]);
}

function withCode(code: ConfigErrorCode, path: string): (error: unknown) => boolean {
  return (error) => error instanceof ConfigError && error.code === code && error.path === path;
}

test("needs a directory, and has a default for everything else", () => {
  const { trustDomain, ...rest } = configOf({ "token-issuer": undefined, jwks: undefined });
  assert.equal(trustDomain.name, "cluster.local");
  assert.deepEqual(rest, {
    dataDir: "/data",
    listen: { host: "0.0.0.0", port: 15_012 },
    tokenIssuer: undefined,
    jwks: undefined,
    audiences: ["istio-ca"],
    identities: { oidc: [], x5c: [] },
    servingDnsNames: ["localhost", "istiod.istio-system.svc"],
    defaultTtlSeconds: 86_400,
    maxTtlSeconds: 90 * 86_400,
    renewByCertificate: false,
    jwtSvidTtlSeconds: 300,
    restoreWaitSeconds: 120,
    reissuePerSecond: 25,
    unobserved: [],
    evidenceRetentionSeconds: 604_800,
    lookBackSeconds: 604_800,
    rootKeyType: "p256",
    resourcesDir: undefined,
    caDir: undefined,
    caKey: undefined,
    keyPassphraseFile: undefined,
    nodeAgents: [],
    bundleListen: undefined,
    bundleCertificate: undefined,
    bundleKey: undefined,
    bundleRefreshHintSeconds: 300,
    kubernetes: "off",
    kubeContext: undefined,
    kubeNamespace: undefined,
    tokenCheck: "watched",
    kubeStalenessSeconds: 10,
    podAddress: "warn",
    trustedNodeAccounts: [],
    clusterDomain: "cluster.local",
    policyStatus: true,
    bundleConfigMap: "istio-ca-root-cert",
    trustSecret: undefined,
    adminListen: undefined,
    adminAudience: "portcullis-admin",
    guard: "off",
    guardListen: { host: "0.0.0.0", port: 15_017 },
    metricsListen: { host: "127.0.0.1", port: 15_014 },
    limits: {
      callsInFlight: 96,
      queueLength: 4096,
      rates: { identity: { ratePerSecond: 50, burst: 500 } },
    },
    logLevel: "info",
  });
  const missing = withCode("config-missing-value", "--data-dir");
  assert.throws(() => configOf({ "data-dir": undefined }), missing);
});

test("gives out nothing that can be changed", () => {
  const config = configOf({});
  for (const value of [
    config,
    config.listen,
    config.audiences,
    config.limits,
    config.limits.rates,
  ]) {
    assert.ok(Object.isFrozen(value));
  }
});

for (const [flag, text] of [
  ["data-dir", ""],
  ["listen", "15012"],
  ["listen", "::1:15012"],
  ["trust-domain", "Cluster.Local"],
  ["token-issuer", ""],
  ["jwks", ""],
  ["jwks", "ftp://host/jwks"],
  ["jwks", "http://"],
  ["audience", ""],
  ["serving-dns-name", "*.example.com"],
  ["serving-dns-name", "Example.com"],
  ["serving-dns-name", "a..b"],
  ["default-ttl", "24"],
  ["default-ttl", "0s"],
  ["max-ttl", "-1h"],
  ["root-key-type", "rsa1024"],
  ["metrics-listen", "localhost"],
  ["calls-in-flight", "0"],
  ["calls-in-flight", "1e3"],
  ["queue-length", "99999999"],
  ["log-level", "trace"],
  ["identity-rate", "0"],
  ["identity-rate", "0.0001"],
  ["identity-rate", "1e3"],
  ["identity-rate", "-1"],
  ["identity-rate", "off"],
  ["namespace-rate", "1000001"],
  ["global-rate", ""],
  ["identity-burst", "0"],
  ["identity-burst", "none"],
] as const) {
  test(`refuses --${flag} ${JSON.stringify(text)}, and names the flag`, () => {
    const refused = withCode("config-invalid-value", `--${flag}`);
    assert.throws(() => configOf({ [flag]: text }), refused);
  });
}

test("makes paths absolute, so that a reload elsewhere finds the same files", () => {
  const config = configOf({ "data-dir": "data", jwks: "keys.json" });
  assert.equal(config.dataDir, resolve("data"));
  assert.equal(config.jwks, resolve("keys.json"));
  assert.equal(configOf({ jwks: "https://h/k" }).jwks, "https://h/k");
});

test("refuses a default life longer than the longest", () => {
  const conflict = withCode("config-conflict", "--default-ttl");
  assert.throws(() => configOf({ "default-ttl": "91d" }), conflict);
  assert.throws(() => configOf({ "max-ttl": "1h" }), conflict);
  assert.equal(configOf({ "default-ttl": "1h", "max-ttl": "1h" }).maxTtlSeconds, 3600);
});

test("takes a setting whole from the most important source that has it", async () => {
  using directory = temporaryDirectory();
  const configFile = join(directory.path, "config.yaml");
  writeFileSync(configFile, "tokens: { audiences: [b, c] }\nlog: { level: warn }\nlisten: h:1\n");
  const config = await loadServerConfig({
    flags: { "log-level": "error", audience: [] },
    configFile,
    presets: { ...REQUIRED, listen: "h:2", "metrics-listen": "h:3" },
  });
  assert.equal(config.logLevel, "error");
  assert.deepEqual(config.audiences, ["b", "c"]);
  assert.equal(config.listen.port, 1);
  assert.equal(config.metricsListen.port, 3);
});

test("lets dev listen on loopback and nowhere else", () => {
  const local = { listen: "127.0.0.1:0", "metrics-listen": "[::1]:0" };
  assert.doesNotThrow(() => assertLoopbackOnly(configOf(local)));
  for (const flag of ["listen", "metrics-listen", "bundle-listen"]) {
    const open = configOf({ ...local, [flag]: "0.0.0.0:0" });
    assert.throws(() => assertLoopbackOnly(open), withCode("config-conflict", `--${flag}`));
  }
});

test("looks back no further than evidence is kept", () => {
  const table: readonly FlagTexts[] = [{ "look-back": "8d" }, { "evidence-retention": "6d" }];
  for (const flags of table) {
    assert.throws(() => configOf(flags), withCode("config-conflict", "--look-back"));
  }
  const config = configOf({ "look-back": "8d", "evidence-retention": "8d" });
  assert.equal(config.lookBackSeconds, config.evidenceRetentionSeconds);
});

test("refuses a setting that means nothing without another one", () => {
  const table: readonly (readonly [FlagTexts, string])[] = [
    [{ "token-issuer": undefined }, "--jwks"],
    [{ jwks: undefined }, "--token-issuer"],
    [{ "ca-key": "pkcs11:token=mesh" }, "--ca-key"],
    [{ "bundle-cert": "/cert", "bundle-listen": "h:1" }, "--bundle-cert"],
    [{ "bundle-key": "/key", "bundle-listen": "h:1" }, "--bundle-key"],
    [{ "bundle-cert": "/cert", "bundle-key": "/key" }, "--bundle-cert"],
    [{ "namespace-burst": "10" }, "--namespace-burst"],
    [{ "identity-rate": "none", "identity-burst": "10" }, "--identity-burst"],
  ];
  for (const [flags, path] of table) {
    assert.throws(() => configOf(flags), withCode("config-conflict", path), path);
  }
});

test("sorts every setting that changed into reloadable or not", () => {
  const changes: Readonly<Record<string, string>> = {
    "data-dir": "/other",
    listen: "h:1",
    "trust-domain": "other",
    "token-issuer": "other",
    jwks: "/other",
    audience: "other",
    "serving-dns-name": "other",
    "default-ttl": "1h",
    "max-ttl": "100d",
    "root-key-type": "p384",
    "metrics-listen": "h:2",
    "calls-in-flight": "1",
    "queue-length": "1",
    "log-level": "debug",
    "renew-by-certificate": "true",
    "restore-wait": "1m",
    "reissue-per-second": "50",
    "evidence-retention": "14d",
    "look-back": "1d",
    unobserved: "files",
    "jwt-ttl": "1m",
    resources: "/resources",
    "ca-dir": "/ca",
    "key-passphrase-file": "/passphrase",
    "node-agent": "spiffe://cluster.local/node",
    "bundle-listen": "h:3",
    "bundle-refresh-hint": "1m",
  };
  const together: readonly (readonly [FlagTexts, FlagTexts])[] = [
    [{ "ca-dir": "/ca" }, { "ca-dir": "/ca", "ca-key": "pkcs11:token=mesh" }],
    [
      { "bundle-listen": "h:3" },
      { "bundle-listen": "h:3", "bundle-cert": "/cert", "bundle-key": "/key" },
    ],
  ];
  const running = configOf({});
  assert.deepEqual(diffReloadable(running, configOf({})), { apply: [], needRestart: [] });
  for (const { flag, key, reloadable } of serverSettings()) {
    if (!(flag in changes)) continue;
    const diff = diffReloadable(running, configOf({ [flag]: changes[flag] }));
    const want = reloadable ? { apply: [key], needRestart: [] } : { apply: [], needRestart: [key] };
    assert.deepEqual(diff, want, flag);
  }
  const needRestart = together.map(
    ([before, after]) => diffReloadable(configOf(before), configOf(after)).needRestart,
  );
  assert.deepEqual(needRestart, [["ca.key"], ["bundleEndpoint.certificate", "bundleEndpoint.key"]]);
  // Whom it believes of a cluster is fixed for the life of a process.
  const cluster = serverSettings().filter(({ key }) => /^(?:kubernetes|admin)\./.test(key));
  assert(cluster.every(({ reloadable }) => !reloadable));
  const rates = serverSettings().filter(({ key }) => key.startsWith("limits.rates."));
  const other = 3 + rates.length + cluster.length;
  assert.equal(Object.keys(changes).length + other, serverSettings().length);
});

test("takes rates as numbers or none, and ten seconds of one for its burst", () => {
  const ratesOf = (flags: FlagTexts): unknown => configOf(flags).limits.rates;
  assert.deepEqual(ratesOf({ "identity-rate": "none" }), {});
  assert.deepEqual(
    ratesOf({ "identity-rate": "0.25", "namespace-rate": "200", "namespace-burst": "1" }),
    {
      identity: { ratePerSecond: 0.25, burst: 3 },
      namespace: { ratePerSecond: 200, burst: 1 },
    },
  );
  assert.deepEqual(ratesOf({ "global-rate": "1000000", "identity-burst": "7" }), {
    identity: { ratePerSecond: 50, burst: 7 },
    global: { ratePerSecond: 1_000_000, burst: 10_000_000 },
  });
  // What is allowed here must not be refused there.
  assert.doesNotThrow(() => new RateLimits(configOf({ "identity-rate": "0.001" }).limits.rates));
});

test("lets a running server take other rates", () => {
  const running = configOf({});
  const key = (scope: string, what: string): string => `limits.rates.${scope}.${what}`;
  const table: readonly (readonly [FlagTexts, readonly string[]])[] = [
    [{ "identity-burst": "7" }, [key("identity", "burst")]],
    [{ "identity-rate": "5" }, [key("identity", "perSecond"), key("identity", "burst")]],
    [{ "identity-rate": "5", "identity-burst": "500" }, [key("identity", "perSecond")]],
    [{ "identity-rate": "none" }, [key("identity", "perSecond"), key("identity", "burst")]],
    [{ "global-rate": "9" }, [key("global", "perSecond"), key("global", "burst")]],
    [{ "namespace-rate": "9" }, [key("namespace", "perSecond"), key("namespace", "burst")]],
  ];
  for (const [flags, apply] of table) {
    assert.deepEqual(diffReloadable(running, configOf(flags)), { apply, needRestart: [] });
  }
});

test("knows no two settings by one name, and no default that it would refuse", () => {
  const settings = serverSettings();
  for (const name of ["flag", "key"] as const) {
    assert.equal(new Set(settings.map((setting) => setting[name])).size, settings.length);
  }
  const defaults = settings.map(({ flag, defaults }) => [flag, defaults] as const);
  assert.deepEqual(
    configOf(Object.fromEntries(defaults.filter(([, texts]) => texts?.length))),
    configOf({}),
  );
});
