import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { isCanonicalTarget, parseDenyTarget, type DenyTarget } from "./deny-target.ts";

const trustDomain = TrustDomain.parse("prod.example");
const parse = (text: string): DenyTarget => parseDenyTarget(text, trustDomain);

describe("a deny target", () => {
  it("is one identity of the trust domain, letter by letter", () => {
    const id = "spiffe://prod.example/ns/shop/sa/web";
    assert.deepEqual(parse(id), { kind: "identity", id });
  });

  it("is one serial, however it is printed", () => {
    const octets = fc.uint8Array({ minLength: 8, maxLength: 20 }).filter(([first]) => first !== 0);
    fc.assert(
      fc.property(octets, (octets) => {
        const serialHex = Buffer.from(octets).toString("hex");
        const colons = serialHex.replaceAll(/..(?=.)/g, "$&:");
        const expected = { kind: "serial", serialHex };
        for (const text of [serialHex, colons, `00${serialHex}`, `00:${colons}`]) {
          assert.deepEqual(parse(text), expected);
          assert.deepEqual(parse(text.toUpperCase()), expected);
        }
        assert.ok(isCanonicalTarget(parse(colons)));
      }),
    );
  });

  const refused: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["an identity of another trust domain", "spiffe://other.example/ns/shop/sa/web"],
    ["the trust domain itself", "spiffe://prod.example"],
    ["another scheme", "https://prod.example/ns/shop/sa/web"],
    ["a path alone", "/ns/shop/sa/web"],
    ["a pattern", "spiffe://prod.example/ns/*"],
    ["a slash at the end", "spiffe://prod.example/ns/shop/"],
    ["a serial of 7 octets", "01020304050607"],
    ["a serial of 21 octets", "01".repeat(21)],
    ["an odd number of digits", "123456789abcdef01"],
    ["colons that are not between octets", "0102:0304:0506:0708"],
    ["a colon too many", "01:02:03:04:05:06:07:08:"],
    ["a prefix", "0x0102030405060708"],
    ["spaces", " 0102030405060708"],
    ["a line end", "0102030405060708\n"],
    ["zero", "00".repeat(16)],
    ["two zero octets before it", `0000${"11".repeat(16)}`],
    ["no hex", "zz02030405060708"],
  ];
  for (const [what, text] of refused) {
    it(`is never ${what}`, () => assert.throws(() => parse(text), { code: "deny-target-invalid" }));
  }

  it("is a target or a typed error for any text, and the same when it is read again", () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9a-fA-F:]{0,50}$/),
      fc.string().map((rest) => `spiffe://prod.example/${rest}`),
    );
    fc.assert(
      fc.property(text, (text) => {
        try {
          const target = parse(text);
          assert.ok(isCanonicalTarget(target));
          assert.deepEqual(parse(target.kind === "serial" ? target.serialHex : target.id), target);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "deny-target-invalid");
        }
      }),
    );
  });
});
