import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { AuthnError, type AuthnErrorCode } from "./authn-error.ts";
import { claimAt, decideClaimRule, type ClaimRule } from "./claim-rule.ts";
import { acceptOidcClaims, type OidcRules } from "./oidc-caller.ts";
import { parsePathTemplate } from "./path-template.ts";

const NOW_MS = 1_795_521_600_000;
const NOW = NOW_MS / 1000;

function ruleOf(spiffeId: string, match: Readonly<Record<string, readonly string[]>>): ClaimRule {
  const matches = Object.entries(match).map(([claim, allowed]) => ({ claim, allowed }));
  return { match: matches, spiffeId: parsePathTemplate(spiffeId) };
}

const rules: OidcRules = {
  issuer: "https://ci.example",
  audiences: ["portcullis", "other"],
  trustDomain: TrustDomain.parse("example.com"),
  clockSkewMs: 10_000,
  rules: [
    ruleOf("/ci/{owner}/{job.name}", { repository: ["acme/shop"], ref: ["main", "release"] }),
    ruleOf("/deployer", { repository: ["acme/deploy"] }),
    ruleOf("/ns/vm/sa/db", { "job.name": ["db"] }),
  ],
};

const CLAIMS: Readonly<Record<string, unknown>> = {
  iss: "https://ci.example",
  aud: "portcullis",
  sub: "repo:acme/shop",
  iat: NOW,
  exp: NOW + 300,
  jti: "t-1",
  repository: "acme/shop",
  ref: "main",
  owner: "acme",
  job: { name: "build" },
};

const accept = (changes: Readonly<Record<string, unknown>> = {}) =>
  acceptOidcClaims({ ...CLAIMS, ...changes }, rules, NOW_MS).caller;

test("makes the identity of the one rule that fits", () => {
  const caller = accept();
  assert.equal(caller.id.toString(), "spiffe://example.com/ci/acme/build");
  assert.equal(caller.expiresAtMs, NOW_MS + 300_000);
  assert.equal(caller.namespace, undefined);
  assert.deepEqual(caller.evidence, {
    method: "oidc",
    issuer: "https://ci.example",
    subject: "repo:acme/shop",
    tokenId: "t-1",
    rule: "/ci/{owner}/{job.name}",
  });
  assert.ok(Object.isFrozen(caller) && Object.isFrozen(caller.evidence));
});

test("takes each of several allowed values, and rules without a value", () => {
  assert.equal(accept({ ref: "release" }).id.path, "/ci/acme/build");
  assert.equal(accept({ repository: "acme/deploy" }).id.path, "/deployer");
  assert.equal(accept({ repository: "x", job: { name: "db" } }).id.path, "/ns/vm/sa/db");
});

test("takes no subject for a service account", () => {
  const caller = accept({ sub: "system:serviceaccount:kube-system:admin" });
  assert.equal(caller.id.path, "/ci/acme/build");
  assert.equal(caller.serviceAccount, undefined);
});

const REFUSED: readonly (readonly [string, AuthnErrorCode, Readonly<Record<string, unknown>>])[] = [
  ["another issuer", "token-issuer", { iss: "https://ci.example/" }],
  ["a list of issuers", "token-claims", { iss: ["https://ci.example"] }],
  ["no issuer", "token-claims", { iss: undefined }],
  ["another audience", "token-audience", { aud: ["istio-ca"] }],
  ["no audience", "token-claims", { aud: undefined }],
  ["no end", "token-claims", { exp: undefined }],
  ["no beginning", "token-claims", { iat: undefined }],
  ["no subject", "token-claims", { sub: undefined }],
  ["a number as subject", "token-claims", { sub: 7 }],
  ["a token that is over", "token-expired", { exp: NOW }],
  ["a token of tomorrow", "token-not-yet-valid", { nbf: NOW + 11 }],
  ["a life of a second more than a day", "token-lifetime", { exp: NOW + 86_401 }],
  ["a repository that no rule names", "token-no-rule", { repository: "acme/shop2" }],
  ["a part of a value", "token-no-rule", { repository: "acme/sho" }],
  ["another case", "token-no-rule", { repository: "Acme/shop" }],
  ["one claim of two", "token-no-rule", { ref: "develop" }],
  ["a list that holds the value", "token-no-rule", { repository: ["acme/shop"] }],
  ["a claim that is missing", "token-no-rule", { ref: undefined }],
  ["a claim with a dot for a path", "token-no-rule", { repository: "", "job.name": "db" }],
  ["what two rules fit", "token-ambiguous-rule", { job: { name: "db" } }],
  ["a value with a slash", "token-identity", { owner: "acme/x" }],
  ["a dot segment", "token-identity", { owner: ".." }],
  ["a value that is a number", "token-identity", { owner: 5 }],
  ["a value that is missing", "token-identity", { job: {} }],
  ["an inherited value", "token-identity", { job: Object.create({ name: "build" }) }],
];

for (const [what, code, changes] of REFUSED) {
  test(`refuses ${what}: ${code}`, () => {
    assert.throws(
      () => accept(changes),
      (error) => error instanceof AuthnError && error.code === code,
    );
  });
}

const MISSED: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  [
    "a value that differs",
    { repository: "acme/shop2" },
    /wants repository to be .*, got "acme\/shop2"/,
  ],
  ["a claim that is missing", { ref: undefined }, /wants ref to be .*, got no such claim/],
  ["a claim of another type", { repository: ["acme/shop"] }, /wants repository .*, got object/],
  [
    "a value that is long and foul",
    { ref: `"\n${"x".repeat(9_999)}` },
    /wants ref .*, got "\?\?x+\.\.\."/,
  ],
];

for (const [what, changes, message] of MISSED) {
  test(`says of ${what} which claim it is, and what came`, () => {
    assert.throws(
      () => accept(changes),
      (error) => {
        assert.ok(error instanceof AuthnError && error.code === "token-no-rule");
        assert.match(error.message, message);
        return error.message.length < 2_000;
      },
    );
  });
}

test("says of many rules and many values only the first ones", () => {
  const allowed = Array.from({ length: 1_000 }, (_, index) => String(index));
  const rules = allowed.map(() => ruleOf("/x", { x: allowed }));
  assert.throws(
    () => decideClaimRule(rules, { x: "other" }),
    (error) =>
      error instanceof AuthnError &&
      error.message.length < 500 &&
      error.message.endsWith('(and 996 more), got "other" (and 996 more)'),
  );
});

test("takes a life of exactly a day", () => {
  assert.ok(accept({ exp: NOW + 86_400 }));
});

test("writes into its evidence only what is short and printable", () => {
  const { evidence } = accept({ sub: `\u202eevil\n${"x".repeat(1000)}` });
  assert.ok(evidence.method === "oidc");
  assert.match(evidence.subject, /^\?evil\?x+\.\.\.$/);
  assert.ok(evidence.subject.length < 300);
});

const value = fc.constantFrom("a", "b", "c");
const anyRule = fc
  .dictionary(fc.constantFrom("x", "y", "z"), fc.array(value, { minLength: 1 }), { minKeys: 1 })
  .map((match) => ruleOf("/x", match));

test("gives a rule exactly when one alone fits, whatever their order", () => {
  const claims = fc.dictionary(
    fc.constantFrom("x", "y", "z"),
    fc.oneof(value, fc.constantFrom(1, null, ["a"], { a: "a" })),
  );
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 5 }), claims, (rules, claims) => {
      const fits = rules.filter(({ match }) =>
        match.every(({ claim, allowed }) => {
          const found = claims[claim];
          return allowed.some((each) => each === found);
        }),
      );
      for (const order of [rules, rules.toReversed()]) {
        try {
          assert.equal(decideClaimRule(order, claims), fits[0]);
          assert.equal(fits.length, 1);
        } catch (error) {
          assert.ok(error instanceof AuthnError, String(error));
          assert.equal(error.code, fits.length === 0 ? "token-no-rule" : "token-ambiguous-rule");
        }
      }
    }),
  );
});

test("finds nothing but own members by any path", () => {
  const claims: unknown = JSON.parse('{"a":{"b":"c"},"__proto__":{"x":"y"}}');
  const found = (path: string) => claimAt(claims as Record<string, unknown>, path);
  assert.equal(found("a.b"), "c");
  assert.equal(found("__proto__.x"), "y");
  for (const path of ["x", "constructor", "a.constructor", "a.b.length", "toString", "a.b.0"]) {
    assert.equal(found(path), undefined, path);
  }
});

test("throws nothing but AuthnError, whatever claims it is given", () => {
  const names = fc.constantFrom(...Object.keys(CLAIMS), "__proto__", "constructor");
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue()), (changes) => {
      try {
        assert.match(accept(changes).id.path, /^\/(?:ci\/[^/]+\/[^/]+|deployer|ns\/vm\/sa\/db)$/);
      } catch (error) {
        assert.ok(error instanceof AuthnError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
