import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AuthnError } from "./authn-error.ts";
import { isDnsLabel, isDnsSubdomain, parseServiceAccountSubject } from "./service-account.ts";

const ACCEPTED: readonly (readonly [string, string, string])[] = [
  ["system:serviceaccount:default:example-pod-sa", "default", "example-pod-sa"],
  ["system:serviceaccount:bar:foo", "bar", "foo"],
  ["system:serviceaccount:0:9", "0", "9"],
  ["system:serviceaccount:a-b:c.d-e.f", "a-b", "c.d-e.f"],
  [`system:serviceaccount:${"n".repeat(63)}:a`, "n".repeat(63), "a"],
  [`system:serviceaccount:n:${"a".repeat(253)}`, "n", "a".repeat(253)],
];

for (const [subject, namespace, name] of ACCEPTED) {
  test(`reads the subject ${subject.slice(0, 60)}`, () => {
    assert.deepEqual(parseServiceAccountSubject(subject), { namespace, name });
  });
}

const REFUSED: readonly string[] = [
  "",
  "system",
  "system:serviceaccount",
  "system:serviceaccount:",
  "system:serviceaccount:example-pod-sa",
  "system:serviceaccount::a",
  "system:serviceaccount:n:",
  "system:serviceaccount:n:a:b",
  "system:serviceaccount:n:a:",
  " system:serviceaccount:n:a",
  "system:serviceaccount:n:a ",
  "system:serviceaccount:n:a\n",
  "System:serviceaccount:n:a",
  "system:serviceaccounts:n:a",
  "system:node:n:a",
  "system:serviceaccount:n.m:a",
  "system:serviceaccount:-n:a",
  "system:serviceaccount:n-:a",
  "system:serviceaccount:n:-a",
  "system:serviceaccount:n:a-",
  "system:serviceaccount:n:.a",
  "system:serviceaccount:n:a..b",
  "system:serviceaccount:n:..",
  "system:serviceaccount:n/sa/b:a",
  "system:serviceaccount:n:a/../b",
  "system:serviceaccount:N:a",
  "system:serviceaccount:n:A",
  "system:serviceaccount:n:a_b",
  "system:serviceaccount:n:.*",
  "system:serviceaccount:n:a\0",
  "system:serviceaccount:n:\u0430",
  `system:serviceaccount:${"n".repeat(64)}:a`,
  `system:serviceaccount:n:${"a".repeat(254)}`,
];

for (const subject of REFUSED) {
  test(`refuses the subject ${JSON.stringify(subject).slice(0, 60)}`, () => {
    assert.throws(
      () => parseServiceAccountSubject(subject),
      (error) => error instanceof AuthnError && error.code === "token-subject",
    );
  });
}

test("lets no byte but lower-case letters, digits, dash and dot into a name", () => {
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    const isAlphanumeric = /^[a-z0-9]$/.test(character);
    assert.equal(isDnsLabel(`a${character}a`), isAlphanumeric || character === "-", character);
    assert.equal(isDnsLabel(`${character}a`), isAlphanumeric, character);
    assert.equal(isDnsLabel(`a${character}`), isAlphanumeric, character);
    const isInside = isAlphanumeric || character === "-" || character === ".";
    assert.equal(isDnsSubdomain(`a${character}a`), isInside, character);
    assert.equal(isDnsSubdomain(`${character}a`), isAlphanumeric, character);
    assert.equal(isDnsSubdomain(`a${character}`), isAlphanumeric, character);
  }
});

test("gives back, part by part, each subject that it accepts", () => {
  const piece = fc.stringMatching(/^[a-z0-9.:-]{0,12}$/);
  fc.assert(
    fc.property(piece, piece, (namespace, name) => {
      const subject = `system:serviceaccount:${namespace}:${name}`;
      let parsed;
      try {
        parsed = parseServiceAccountSubject(subject);
      } catch (error) {
        assert.ok(error instanceof AuthnError);
        return;
      }
      assert.equal(`system:serviceaccount:${parsed.namespace}:${parsed.name}`, subject);
      assert.doesNotMatch(parsed.namespace + parsed.name, /[:/]/);
    }),
  );
});
