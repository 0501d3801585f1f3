import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { extractBearer, findBearer } from "./bearer.ts";

test("takes what follows the scheme as it is", () => {
  assert.equal(extractBearer(["Bearer a.b.c"]), "a.b.c");
  assert.equal(extractBearer(["Bearer  a.b.c "]), " a.b.c ");
});

const REFUSED: readonly (readonly [string, AuthnErrorCode, readonly string[]])[] = [
  ["no value", "token-missing", []],
  ["an empty value", "token-missing", [""]],
  ["a scheme without a token", "token-missing", ["Bearer "]],
  ["a token without a scheme", "token-missing", ["a.b.c"]],
  ["another scheme", "token-missing", ["Basic a.b.c"]],
  ["the scheme of Istio's HTTP paths", "token-missing", ["Istio a.b.c"]],
  ["the scheme in lower case", "token-missing", ["bearer a.b.c"]],
  ["the scheme with a tab", "token-missing", ["Bearer\ta.b.c"]],
  ["two values", "token-malformed", ["Bearer a.b.c", "Bearer d.e.f"]],
  ["the same value twice", "token-malformed", ["Bearer a.b.c", "Bearer a.b.c"]],
  ["a value of another scheme besides", "token-malformed", ["Bearer a.b.c", "Basic x"]],
];

test("tells a call without a token from one with something else in its place", () => {
  assert.equal(findBearer([]), undefined);
  for (const [, code, values] of REFUSED.filter(([, , values]) => values.length > 0)) {
    assert.throws(
      () => findBearer(values),
      (error) => error instanceof AuthnError && error.code === code,
    );
  }
});

for (const [what, code, values] of REFUSED) {
  test(`refuses ${what}`, () => {
    assert.throws(
      () => extractBearer(values),
      (error) => error instanceof AuthnError && error.code === code,
    );
  });
}
