import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { AuthnError, type AuthnErrorCode } from "./authn-error.ts";
import { parsePathTemplate } from "./path-template.ts";
import {
  decideX5cIdentity,
  type CertificateNames,
  type X5cMatch,
  type X5cRule,
} from "./x5c-rule.ts";

const trustDomain = TrustDomain.parse("example.com");
const rule = (match: X5cMatch, spiffeId: string): X5cRule => {
  return { match, spiffeId: parsePathTemplate(spiffeId) };
};

const rules: readonly X5cRule[] = [
  rule({ kind: "dns", value: "db-1.corp.example" }, "/vm/{dns}"),
  rule({ kind: "dns-label", suffix: ".web.corp.example" }, "/web/{dns.label}"),
  rule({ kind: "uri", value: "urn:machine:7" }, "/machine/seven"),
  rule({ kind: "commonName", value: "legacy" }, "/legacy/{commonName}"),
];

function decide(names: Partial<CertificateNames>): string {
  const none = { dnsNames: [], uris: [], commonName: undefined };
  return decideX5cIdentity({ name: "corp", rules, trustDomain }, { ...none, ...names }).id.path;
}

const ACCEPTED: readonly (readonly [string, Partial<CertificateNames>])[] = [
  ["/vm/db-1.corp.example", { dnsNames: ["db-1.corp.example"] }],
  ["/vm/db-1.corp.example", { dnsNames: ["other.example", "db-1.corp.example"] }],
  ["/vm/db-1.corp.example", { dnsNames: ["db-1.corp.example", "db-1.corp.example"] }],
  ["/web/a", { dnsNames: ["a.web.corp.example"] }],
  ["/machine/seven", { uris: ["urn:other", "urn:machine:7"] }],
  ["/legacy/legacy", { commonName: "legacy" }],
];

for (const [path, names] of ACCEPTED) {
  test(`gives ${path} to ${JSON.stringify(names)}`, () => assert.equal(decide(names), path));
}

const REFUSED: readonly (readonly [AuthnErrorCode, Partial<CertificateNames>])[] = [
  ["token-no-rule", {}],
  ["token-no-rule", { dnsNames: ["db-2.corp.example"] }],
  ["token-no-rule", { dnsNames: ["DB-1.corp.example"] }],
  ["token-no-rule", { dnsNames: ["db-1.corp.example."] }],
  ["token-no-rule", { dnsNames: ["x.db-1.corp.example"] }],
  ["token-no-rule", { uris: ["db-1.corp.example"] }],
  ["token-no-rule", { commonName: "db-1.corp.example" }],
  ["token-no-rule", { dnsNames: ["web.corp.example"] }],
  ["token-no-rule", { dnsNames: [".web.corp.example"] }],
  ["token-no-rule", { dnsNames: ["a.b.web.corp.example"] }],
  ["token-no-rule", { dnsNames: ["*.web.corp.example"] }],
  ["token-no-rule", { dnsNames: ["...web.corp.example"] }],
  ["token-no-rule", { dnsNames: ["a.web.corp.example.evil"] }],
  ["token-no-rule", { dnsNames: ["a.webXcorp.example"] }],
  ["token-no-rule", { uris: ["urn:machine:70"] }],
  ["token-no-rule", { commonName: "Legacy" }],
  ["token-ambiguous-rule", { dnsNames: ["a.web.corp.example", "b.web.corp.example"] }],
  ["token-ambiguous-rule", { dnsNames: ["db-1.corp.example"], commonName: "legacy" }],
];

for (const [code, names] of REFUSED) {
  test(`refuses ${JSON.stringify(names)}: ${code}`, () => {
    assert.throws(
      () => decide(names),
      (error) => error instanceof AuthnError && error.code === code,
    );
  });
}

const SAID: readonly (readonly [string, Partial<CertificateNames>, string])[] = [
  [
    "both names where one rule fits two",
    { dnsNames: ["a.web.corp.example", "b.web.corp.example"] },
    "more than one rule or name of the certificate fits: " +
      '/web/{dns.label} gives /web/a for dns "a.web.corp.example" and ' +
      '/web/{dns.label} gives /web/b for dns "b.web.corp.example"',
  ],
  [
    "both rules where two fit",
    { uris: ["urn:machine:7"], commonName: "legacy" },
    "more than one rule or name of the certificate fits: " +
      '/machine/seven gives /machine/seven for uri "urn:machine:7" and ' +
      '/legacy/{commonName} gives /legacy/legacy for commonName "legacy"',
  ],
  [
    "the names where no rule fits, on one line",
    { dnsNames: ["db-2.corp.example"], uris: ["urn:x"], commonName: 'db\n"2"' },
    'no rule of "corp" fits a certificate of ' +
      'dns "db-2.corp.example", uri "urn:x", commonName "db??2?"',
  ],
  [
    "how many more names there are",
    { dnsNames: ["a.x", "b.x", "c.x", "d.x", "e.x", "f.x"] },
    'no rule of "corp" fits a certificate of dns "a.x", dns "b.x", dns "c.x", dns "d.x" (and 2 more)',
  ],
  ["that there is no name", {}, 'no rule of "corp" fits a certificate of no name'],
];

for (const [what, names, message] of SAID) {
  test(`says ${what}`, () => assert.throws(() => decide(names), { message }));
}

test("leaves open one label and no more, whatever the name", () => {
  const name = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.*-]{0,12}$/));
  fc.assert(
    fc.property(name, (name) => {
      try {
        const path = decide({ dnsNames: [`${name}.web.corp.example`] });
        assert.equal(path, `/web/${name}`);
        assert.match(name, /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      } catch (error) {
        assert.ok(error instanceof AuthnError && error.code === "token-no-rule", String(error));
      }
    }),
  );
});
