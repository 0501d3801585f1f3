import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { isOperator, isVerifiedOperator, operatorPattern, verifiedOperator } from "./operator.ts";

describe("verifiedOperator", () => {
  it("keeps whole names apart from every claim", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (user) => {
        const name = verifiedOperator(user);
        if (name === undefined) return;
        assert.ok(isVerifiedOperator(name) && isOperator(name));
        assert.equal(name, `kubernetes:${user}`);
        assert.ok(Buffer.byteLength(name) <= 254);
      }),
    );
  });

  const table: readonly (readonly [what: string, user: string, is: boolean])[] = [
    ["a service account", "system:serviceaccount:ops:alice", true],
    ["an address of mail", "oidc:alice@example.com", true],
    ["a name of 243 octets", "n".repeat(243), true],
    ["a name of 244 octets, which the log has no room for", "n".repeat(244), false],
    ["a name of 122 characters with 244 octets", "é".repeat(122), false],
    ["no name", "", false],
    ["a line end", "alice\nbob", false],
    ["a mark that turns the direction of writing", "alice\u202Ebob", false],
  ];
  for (const [what, user, is] of table) {
    it(`${is ? "takes" : "refuses"} ${what}`, () => {
      assert.equal(verifiedOperator(user) !== undefined, is);
    });
  }
});

describe("isOperator", () => {
  it("takes every claim that was taken before verified names came, and no longer one", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 80 }), (name) => {
        assert.equal(isOperator(name), operatorPattern.test(name));
      }),
    );
  });
});
