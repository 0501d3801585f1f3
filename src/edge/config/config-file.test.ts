import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { ConfigError, type ConfigErrorCode } from "./config-error.ts";
import { parseConfigFile } from "./config-file.ts";
import { resolveServerConfig } from "./server-config.ts";
import { serverSettings } from "./server-settings.ts";

const WHOLE = `
dataDir: /data
listen: "[::]:15012"
trustDomain: example.org
tokens:
  issuer: https://issuer
  jwks: https://issuer/jwks
  audiences: [istio-ca, portcullis]
serving:
  dnsNames: [istiod.istio-system.svc]
certificates:
  defaultTtl: 12h
  maxTtl: 30d
  renewByCertificate: true
  rootKeyType: p384
jwt:
  ttl: 10m
resources: /etc/portcullis/resources
ca:
  dir: /etc/cacerts
  key: pkcs11:token=mesh
  keyPassphraseFile: passphrase
nodeAgents: [spiffe://cluster.local/ns/istio-system/sa/node-agent]
bundleEndpoint:
  listen: "[::1]:8443"
  certificate: cert.pem
  key: key.pem
  refreshHint: 1m
metrics:
  listen: 127.0.0.1:0
restore:
  wait: 1m
rotation:
  reissuePerSecond: 50
  unobserved: [files]
evidence:
  retention: 14d
  lookBack: 3d
kubernetes:
  api: /etc/portcullis/kubeconfig
  context: prod
  namespace: mesh-system
  tokenCheck: review
  stalenessMax: 5s
  podAddress: refuse
  trustedNodeAccounts: [istio-system/ztunnel]
  clusterDomain: cluster.example
  policyStatus: false
  bundleConfigMap: "off"
  trustSecret: portcullis-trust
  guard: enforce
  guardListen: 0.0.0.0:9443
admin:
  listen: 0.0.0.0:15016
  audience: operators
limits:
  callsInFlight: 64
  queueLength: 1000
  rates:
    identity: { perSecond: 12.5, burst: 40 }
    namespace: { perSecond: none, burst: 1 }
    global:
      perSecond: 900
      burst: 2000
log:
  level: debug
`;

function errorOf(text: string): ConfigError {
  try {
    parseConfigFile("config.yaml", text);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "expected a ConfigError" });
}

test("says all that the flags can say", () => {
  const source = parseConfigFile("config.yaml", WHOLE);
  assert.deepEqual(
    [...source.values.keys()].toSorted(),
    serverSettings()
      .map(({ key }) => key)
      .toSorted(),
  );
  const whole = { ...source, values: new Map(source.values) };
  // All at once is more than goes together.
  for (const [path, key] of [
    ["kubernetes.api", "tokens.jwks"],
    ["kubernetes.api", "tokens.issuer"],
    ["limits.rates.namespace.burst", "limits.rates.namespace.burst"],
  ] as const) {
    assert.throws(() => resolveServerConfig([whole]), { path: `config.yaml: ${path}` });
    whole.values.delete(key);
  }
  const config = resolveServerConfig([whole]);
  assert.deepEqual(config.limits.rates, {
    identity: { ratePerSecond: 12.5, burst: 40 },
    global: { ratePerSecond: 900, burst: 2000 },
  });
  assert.deepEqual(config.audiences, ["istio-ca", "portcullis"]);
  assert.equal(config.limits.callsInFlight, 64);
  assert.equal(config.rootKeyType, "p384");
});

test("sets nothing when it is empty", () => {
  for (const text of ["", "# only a comment\n", "{}", "---\n"]) {
    assert.equal(parseConfigFile("config.yaml", text).values.size, 0);
  }
});

const refusals: readonly (readonly [string, string, ConfigErrorCode, string])[] = [
  ["an unknown key", "lisen: h:1", "config-unknown-key", "config.yaml: lisen"],
  [
    "an unknown key in a section",
    "log: { levle: info }",
    "config-unknown-key",
    "config.yaml: log.levle",
  ],
  ["a flag's name as key", "data-dir: /x", "config-unknown-key", "config.yaml: data-dir"],
  ["__proto__", "__proto__: { dataDir: /x }", "config-unknown-key", "config.yaml: __proto__"],
  ["a number for a text", "trustDomain: 1", "config-invalid-value", "config.yaml: trustDomain"],
  [
    "a text for a list",
    "tokens: { audiences: a }",
    "config-invalid-value",
    "config.yaml: tokens.audiences",
  ],
  [
    "a fraction for a count",
    "limits: { queueLength: 1.5 }",
    "config-invalid-value",
    "config.yaml: limits.queueLength",
  ],
  [
    "an unknown scope of rates",
    "limits: { rates: { pod: { perSecond: 1 } } }",
    "config-unknown-key",
    "config.yaml: limits.rates.pod",
  ],
  [
    "a flag's name in a scope",
    "limits: { rates: { identity: { rate: 1 } } }",
    "config-unknown-key",
    "config.yaml: limits.rates.identity.rate",
  ],
  [
    "a number for a scope",
    "limits: { rates: { identity: 5 } }",
    "config-invalid-value",
    "config.yaml: limits.rates.identity",
  ],
  [
    "a list for a rate",
    "limits: { rates: { identity: { perSecond: [5] } } }",
    "config-invalid-value",
    "config.yaml: limits.rates.identity.perSecond",
  ],
  [
    "a fraction for a burst",
    "limits: { rates: { identity: { burst: 5.5 } } }",
    "config-invalid-value",
    "config.yaml: limits.rates.identity.burst",
  ],
  ["null for a section", "limits:", "config-invalid-value", "config.yaml: limits"],
  ["a list for the whole", "- a", "config-invalid-value", "config.yaml"],
  ["a text for the whole", "a", "config-invalid-value", "config.yaml"],
  ["a key twice", "listen: a:1\nlisten: b:1", "config-malformed", "config.yaml"],
  ["a second document", "listen: a:1\n---\nlisten: b:1", "config-malformed", "config.yaml"],
  ["an alias", "dataDir: &a /x\nlisten: *a", "config-malformed", "config.yaml"],
  ["a tag", "dataDir: !secret /x", "config-malformed", "config.yaml"],
  ["broken YAML", "tokens: {", "config-malformed", "config.yaml"],
];

for (const [name, text, code, path] of refusals) {
  test(`refuses ${name}, and says where`, () => {
    const error = errorOf(text);
    assert.equal(error.code, code);
    assert.equal(error.path, path);
  });
}

test("names the key that was probably meant", () => {
  assert.match(errorOf("tokens: { audience: [a] }").message, /did you mean "audiences"$/);
  assert.match(errorOf("token: {}").message, /did you mean "tokens"$/);
  assert.match(
    errorOf("limits: { rates: { identity: { perSec: 1 } } }").message,
    /did you mean "perSecond"$/,
  );
  assert.match(errorOf("lisen: a").message, /did you mean "listen"$/);
});

test("names the file's key when a value cannot be used", () => {
  const source = parseConfigFile("config.yaml", "listen: nowhere");
  const refused = { code: "config-invalid-value", path: "config.yaml: listen" };
  const required = new Map([
    ["dataDir", ["/d"]],
    ["tokens.issuer", ["i"]],
    ["tokens.jwks", ["/j"]],
  ]);
  const rest = { values: required, locate: () => "elsewhere" };
  assert.throws(() => resolveServerConfig([source, rest]), refused);
});

test("answers any text with settings or a ConfigError", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...WHOLE.split("\n")),
    fc.tuple(fc.constantFrom(...WHOLE.split("\n")), fc.string()).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      try {
        parseConfigFile("config.yaml", lines.join("\n"));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
