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
  return decideX5cIdentity(rules, { ...none, ...names }, trustDomain).id.path;
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
