import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { ConfigError, type ConfigErrorCode } from "./config-error.ts";
import { parseConfigFile } from "./config-file.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { diffReloadable, loadServerConfig, type ServerConfig } from "./server-config.ts";
import { formatYaml } from "./yaml.ts";

const OIDC = {
  issuer: "https://ci.example",
  jwks: "https://ci.example/jwks",
  audiences: ["portcullis"],
  rules: [
    {
      match: { repository: "acme/shop", "job.ref": ["main", "release"] },
      spiffeId: "/ci/{owner}/{job.name}",
    },
  ],
};
const X5C = {
  name: "corp",
  roots: "roots.pem",
  audiences: ["portcullis"],
  rules: [
    { match: { dns: "db-1.corp.example" }, spiffeId: "/vm/{dns}" },
    { match: { dns: "*.web.corp.example" }, spiffeId: "/web/{dns.label}" },
    { match: { uri: "urn:machine:7" }, spiffeId: "/ns/vm/sa/seven" },
    { match: { commonName: "legacy" }, spiffeId: "/legacy/{commonName}" },
  ],
};

function parse(identities: unknown): IdentityConfig {
  return parseConfigFile("config.yaml", formatYaml({ identities })).identities;
}

test("reads issuers and PKIs, with their rules compiled", () => {
  const { oidc, x5c } = parse({ oidc: [OIDC], x5c: [X5C] });
  const [issuer] = oidc;
  assert.equal(issuer?.issuer, "https://ci.example");
  assert.equal(issuer?.jwks, "https://ci.example/jwks");
  assert.deepEqual(issuer?.rules[0]?.match, [
    { claim: "repository", allowed: ["acme/shop"] },
    { claim: "job.ref", allowed: ["main", "release"] },
  ]);
  assert.equal(issuer?.place, "config.yaml: identities.oidc.0");
  const [entry] = x5c;
  assert.equal(entry?.roots, resolve("roots.pem"));
  assert.deepEqual(
    entry?.rules.map(({ match }) => match),
    [
      { kind: "dns", value: "db-1.corp.example" },
      { kind: "dns-label", suffix: ".web.corp.example" },
      { kind: "uri", value: "urn:machine:7" },
      { kind: "commonName", value: "legacy" },
    ],
  );
});

test("knows of none where none is written", () => {
  for (const text of ["", "identities: {}", "identities: { oidc: [], x5c: [] }"]) {
    assert.deepEqual(parseConfigFile("c", text).identities, { oidc: [], x5c: [] });
  }
});

const oidc = (changes: object): unknown => ({ oidc: [{ ...OIDC, ...changes }] });
const oidcRule = (changes: object): unknown => oidc({ rules: [{ ...OIDC.rules[0], ...changes }] });
const x5c = (changes: object): unknown => ({ x5c: [{ ...X5C, ...changes }] });
const x5cRule = (match: unknown, spiffeId: string): unknown =>
  x5c({ rules: [...X5C.rules, { match, spiffeId }] });
const unknown = "config-unknown-key";
const invalid = "config-invalid-value";
const conflict = "config-conflict";

const REFUSED: readonly (readonly [string, ConfigErrorCode, string, unknown])[] = [
  ["a third kind", unknown, "saml", { saml: [] }],
  ["an issuer alone", invalid, "oidc", { oidc: OIDC }],
  ["an unknown key", unknown, "oidc.0.audience", oidc({ audience: ["a"] })],
  ["an unknown key of a rule", unknown, "oidc.0.rules.0.id", oidcRule({ id: "/x" })],
  ["no issuer", invalid, "oidc.0.issuer", oidc({ issuer: undefined })],
  ["an empty issuer", invalid, "oidc.0.issuer", oidc({ issuer: "" })],
  ["a list of issuers", invalid, "oidc.0.issuer", oidc({ issuer: ["a"] })],
  ["no keys", invalid, "oidc.0.jwks", oidc({ jwks: undefined })],
  ["keys from elsewhere", invalid, "oidc.0.jwks", oidc({ jwks: "ftp://h/k" })],
  ["no audiences", invalid, "oidc.0.audiences", oidc({ audiences: undefined })],
  ["an empty list of audiences", invalid, "oidc.0.audiences", oidc({ audiences: [] })],
  ["an empty audience", invalid, "oidc.0.audiences.1", oidc({ audiences: ["a", ""] })],
  ["no rules", invalid, "oidc.0.rules", oidc({ rules: undefined })],
  ["an empty list of rules", invalid, "oidc.0.rules", oidc({ rules: [] })],
  ["one issuer twice", conflict, "oidc.1.issuer", { oidc: [OIDC, { ...OIDC, jwks: "/k" }] }],
  ["no match", invalid, "oidc.0.rules.0.match", oidcRule({ match: undefined })],
  ["an empty match", invalid, "oidc.0.rules.0.match", oidcRule({ match: {} })],
  ["a list as match", invalid, "oidc.0.rules.0.match", oidcRule({ match: ["a"] })],
  ["a number to match", invalid, "oidc.0.rules.0.match.a", oidcRule({ match: { a: 1 } })],
  ["true to match", invalid, "oidc.0.rules.0.match.a", oidcRule({ match: { a: true } })],
  ["nothing to match", invalid, "oidc.0.rules.0.match.a", oidcRule({ match: { a: [] } })],
  ["a list in a list", invalid, "oidc.0.rules.0.match.a", oidcRule({ match: { a: [["b"]] } })],
  ["a number in a list", invalid, "oidc.0.rules.0.match.a", oidcRule({ match: { a: ["b", 1] } })],
  [
    "a claim without a path",
    invalid,
    "oidc.0.rules.0.match.a..b",
    oidcRule({ match: { "a..b": "c" } }),
  ],
  ["no identity", invalid, "oidc.0.rules.0.spiffeId", oidcRule({ spiffeId: undefined })],
  ["a whole ID", invalid, "oidc.0.rules.0.spiffeId", oidcRule({ spiffeId: "spiffe://x/y" })],
  [
    "the control plane's",
    invalid,
    "oidc.0.rules.0.spiffeId",
    oidcRule({ spiffeId: "/portcullis/x" }),
  ],
  [
    "a namespace by a claim",
    invalid,
    "oidc.0.rules.0.spiffeId",
    oidcRule({ spiffeId: "/ns/{a}/sa/b" }),
  ],
  [
    "an account by a claim",
    invalid,
    "oidc.0.rules.0.spiffeId",
    oidcRule({ spiffeId: "/ns/a/sa/{b}" }),
  ],
  ["all by a claim", invalid, "oidc.0.rules.0.spiffeId", oidcRule({ spiffeId: "/{a}/{b}" })],
  ["no name", invalid, "x5c.0.name", x5c({ name: undefined })],
  ["one name twice", conflict, "x5c.1.name", { x5c: [X5C, { ...X5C, roots: "other.pem" }] }],
  ["no roots", invalid, "x5c.0.roots", x5c({ roots: "" })],
  ["no audience for a PKI", invalid, "x5c.0.audiences", x5c({ audiences: [] })],
  ["no rule for a PKI", invalid, "x5c.0.rules", x5c({ rules: [] })],
  ["two names in a match", invalid, "x5c.0.rules.4.match", x5cRule({ dns: "a.b", uri: "u" }, "/x")],
  ["another name", unknown, "x5c.0.rules.4.match.email", x5cRule({ email: "a@b" }, "/x")],
  ["a name of no match", invalid, "x5c.0.rules.4.match", x5cRule({}, "/x")],
  ["a list of names", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: ["a.b"] }, "/x")],
  ["a name in capitals", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: "A.b" }, "/x")],
  ["a star inside", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: "a.*.b" }, "/x")],
  ["two stars", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: "*.*.b" }, "/x")],
  ["a star alone", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: "*" }, "/x")],
  ["a star for all", invalid, "x5c.0.rules.4.match.dns", x5cRule({ dns: "*." }, "/x")],
  [
    "a label without a star",
    invalid,
    "x5c.0.rules.4.spiffeId",
    x5cRule({ dns: "a.b" }, "/x/{dns.label}"),
  ],
  ["a claim for a PKI", invalid, "x5c.0.rules.4.spiffeId", x5cRule({ dns: "a.b" }, "/x/{sub}")],
  ["a URI in a path", invalid, "x5c.0.rules.4.spiffeId", x5cRule({ uri: "u" }, "/x/{uri}")],
  [
    "a name that is no segment",
    invalid,
    "x5c.0.rules.4.spiffeId",
    x5cRule({ commonName: "a b" }, "/x/{commonName}"),
  ],
];

for (const [what, code, path, identities] of REFUSED) {
  test(`refuses ${what}, and says where`, () => {
    assert.throws(
      () => parse(identities),
      (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.deepEqual([error.code, error.path], [code, `config.yaml: identities.${path}`]);
        return true;
      },
    );
  });
}

test("lets no match drop out, whatever its name", () => {
  const text = formatYaml({ identities: { oidc: [OIDC] } }).replace("repository:", "__proto__:");
  const [issuer] = parseConfigFile("c", text).identities.oidc;
  assert.deepEqual(issuer?.rules[0]?.match[0], { claim: "__proto__", allowed: ["acme/shop"] });
});

test("names the key that was probably meant", () => {
  const messageOf = (identities: unknown): string => {
    try {
      parse(identities);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
    }
    throw new assert.AssertionError({ message: "expected a ConfigError" });
  };
  assert.match(messageOf({ oicd: [] }), /did you mean "oidc"$/);
  assert.match(messageOf(oidc({ audience: ["a"] })), /did you mean "audiences"$/);
  assert.match(messageOf(oidcRule({ spiffeID: "/x" })), /did you mean "spiffeId"$/);
  assert.throws(() => parseConfigFile("c", "identites: {}"), /did you mean "identities"$/);
});

async function load(identities: unknown, issuer = "https://cluster"): Promise<ServerConfig> {
  using directory = temporaryDirectory();
  const configFile = join(directory.path, "config.yaml");
  writeFileSync(configFile, formatYaml({ identities }));
  const flags = { "data-dir": "/data", "token-issuer": issuer, jwks: "/jwks.json" };
  return await loadServerConfig({ flags, configFile });
}

test("refuses the cluster's own issuer, however it was given", async () => {
  await assert.rejects(load({ oidc: [OIDC] }, OIDC.issuer), {
    code: "config-conflict",
    path: "config.yaml: identities.oidc.0.issuer",
  });
});

test("is taken over by a running server when it changes, and only then", async () => {
  const running = await load({ oidc: [OIDC], x5c: [X5C] });
  const same = await load({ oidc: [OIDC], x5c: [X5C] });
  assert.deepEqual(diffReloadable(running, same), { apply: [], needRestart: [] });
  for (const identities of [
    {},
    { oidc: [OIDC] },
    { oidc: [{ ...OIDC, jwks: "/k" }], x5c: [X5C] },
  ]) {
    const diff = diffReloadable(running, await load(identities));
    assert.deepEqual(diff, { apply: ["identities"], needRestart: [] });
  }
});

test("gives out nothing that can be changed", async () => {
  const { identities } = await load({ oidc: [OIDC], x5c: [X5C] });
  const assertFrozen = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    assert.ok(Object.isFrozen(value), JSON.stringify(value));
    for (const each of Object.values(value)) assertFrozen(each);
  };
  assertFrozen(identities);
});

test("answers any value with identities or a ConfigError that says where", () => {
  const anyRule = fc.record({ match: fc.jsonValue(), spiffeId: fc.string() });
  const anyEntry = fc
    .record({ rules: fc.oneof(fc.array(anyRule), fc.jsonValue()), audiences: fc.jsonValue() })
    .map((changes) => ({ oidc: [{ ...OIDC, ...changes }], x5c: [{ ...X5C, ...changes }] }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), anyEntry), (identities) => {
      try {
        parse(identities);
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.path, /^config\.yaml: identities/);
      }
    }),
    { numRuns: 300 },
  );
});
