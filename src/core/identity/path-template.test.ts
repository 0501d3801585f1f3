import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { IdentityPathError, type IdentityPathErrorCode } from "./assignable-path.ts";
import { AuthnError } from "./authn-error.ts";
import { expandPathTemplate, parsePathTemplate, valueNames } from "./path-template.ts";

const trustDomain = TrustDomain.parse("example.com");

function expand(template: string, values: Readonly<Record<string, unknown>>): string {
  const valueOf = (name: string): unknown => values[name];
  return expandPathTemplate(parsePathTemplate(template), trustDomain, valueOf).toString();
}

test("puts each value into its own segment", () => {
  assert.equal(expand("/ci/{owner}/{a.b}", { owner: "acme", "a.b": "Build_1.2" }), ID_OF_BUILD);
  assert.deepEqual(valueNames(parsePathTemplate("/ci/{owner}/x/{a.b}")), ["owner", "a.b"]);
});

const ID_OF_BUILD = "spiffe://example.com/ci/acme/Build_1.2";

test("needs no value", () => {
  assert.equal(expand("/ns/vm/sa/db", {}), "spiffe://example.com/ns/vm/sa/db");
  assert.equal(expand("/nsx", {}), "spiffe://example.com/nsx");
});

const INJECTIONS: readonly unknown[] = [
  "",
  ".",
  "..",
  "a/b",
  "/a",
  "a/",
  "../ns",
  "%2f",
  "a%2fb",
  "a b",
  "a\nb",
  "a\0",
  "a\u0000",
  "b\u00fccher",
  "\u0430",
  "\ud800",
  "a{b}",
  "a@b",
  "a:b",
  "a".repeat(2049),
  undefined,
  null,
  1,
  true,
  ["a"],
  { toString: () => "a" },
];

for (const value of INJECTIONS) {
  const shown = typeof value === "string" ? JSON.stringify(value).slice(0, 30) : typeof value;
  test(`refuses the value ${shown}`, () => {
    assert.throws(
      () => expand("/ci/{v}", { v: value }),
      (error) => error instanceof AuthnError && error.code === "token-identity",
    );
  });
}

test("refuses an ID longer than 2048 bytes, and no shorter one", () => {
  const room = 2048 - "spiffe://example.com/ci/".length;
  assert.equal(expand("/ci/{v}", { v: "a".repeat(room) }).length, 2048);
  assert.throws(() => expand("/ci/{v}", { v: "a".repeat(room + 1) }), AuthnError);
});

const REFUSED: readonly (readonly [string, IdentityPathErrorCode])[] = [
  ["", "identity-path-malformed"],
  ["/", "identity-path-malformed"],
  ["ci", "identity-path-malformed"],
  ["/ci/", "identity-path-malformed"],
  ["/ci//x", "identity-path-malformed"],
  ["/ci/..", "identity-path-malformed"],
  ["/ci/a b", "identity-path-malformed"],
  ["/ci/x-{v}", "identity-path-malformed"],
  ["/ci/{a}{b}", "identity-path-malformed"],
  ["/ci/{}", "identity-path-malformed"],
  ["/ci/{a..b}", "identity-path-malformed"],
  ["/ci/{a", "identity-path-malformed"],
  ["/ci/a}", "identity-path-malformed"],
  ["spiffe://example.com/ci", "identity-path-malformed"],
  ["/{v}", "identity-path-malformed"],
  ["/{v}/ci", "identity-path-malformed"],
  ["/portcullis", "identity-path-reserved"],
  ["/portcullis/server", "identity-path-reserved"],
  ["/portcullis/{v}", "identity-path-reserved"],
  ["/ns/{v}/sa/db", "identity-path-not-kubernetes"],
  ["/ns/vm/sa/{v}", "identity-path-not-kubernetes"],
  ["/ns/vm/x/{v}", "identity-path-not-kubernetes"],
  ["/ns", "identity-path-not-kubernetes"],
  ["/ns/vm", "identity-path-not-kubernetes"],
  ["/ns/vm/sa", "identity-path-not-kubernetes"],
  ["/ns/vm/sa/db/x", "identity-path-not-kubernetes"],
  ["/ns/vm/SA/db", "identity-path-not-kubernetes"],
  ["/ns/VM/sa/db", "identity-path-not-kubernetes"],
  ["/ns/v.m/sa/db", "identity-path-not-kubernetes"],
];

for (const [template, code] of REFUSED) {
  test(`refuses the template ${JSON.stringify(template)}`, () => {
    assert.throws(
      () => parsePathTemplate(template),
      (error) => error instanceof IdentityPathError && error.code === code,
    );
  });
}

test("lets no value change depth or first segment, nor any other than its own", () => {
  const piece = fc.oneof(
    fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/),
    fc.string({ maxLength: 12 }),
    fc.constantFrom("..", ".", "ns", "sa", "portcullis", "a/b", "", "%2e%2e"),
  );
  const shape = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(shape, fc.array(piece, { minLength: 6, maxLength: 6 }), (shape, values) => {
      const names = shape.map((isValue, index) => (isValue ? `{v${index}}` : `lit${index}`));
      const template = parsePathTemplate(["", "first", ...names].join("/"));
      let path: string;
      try {
        ({ path } = expandPathTemplate(template, trustDomain, (name) => values[Number(name[1])]));
      } catch (error) {
        assert.ok(error instanceof AuthnError && error.code === "token-identity", String(error));
        return;
      }
      const want = shape.map((isValue, index) => (isValue ? values[index] : `lit${index}`));
      assert.deepEqual(path.split("/"), ["", "first", ...want]);
    }),
    { numRuns: 1_000 },
  );
});

test("answers any template with a value or an IdentityPathError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom("/", "ns", "sa", "{", "}", "a", ".", "portcullis")).map((parts) => {
      return parts.join("");
    }),
  );
  fc.assert(
    fc.property(text, (text) => {
      try {
        const { segments } = parsePathTemplate(text);
        const [first] = segments;
        assert.ok(first?.kind === "literal" && first.text !== "portcullis");
        const isLiteral = segments.every(({ kind }) => kind === "literal");
        assert.ok(first.text !== "ns" || isLiteral);
      } catch (error) {
        assert.ok(error instanceof IdentityPathError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});
