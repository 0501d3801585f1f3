import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTokenFor } from "./token-audience.ts";

function tokenFor(aud: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return [part({ alg: "ES256" }), part({ aud }), part("signature")].join(".");
}

describe("a token of the kubeconfig", () => {
  const table: readonly (readonly [aud: unknown, isFor: boolean])[] = [
    ["admin", true],
    [["admin"], true],
    [["admin", "admin"], true],
    [["admin", "other"], false],
    ["other", false],
    [[], false],
    [undefined, false],
    [[["admin"]], false],
  ];
  for (const [aud, isFor] of table) {
    const said = JSON.stringify(aud) ?? "nobody";
    it(`for ${said} is ${isFor ? "shown" : "not shown"} to the admin API`, () => {
      assert.equal(isTokenFor(tokenFor(aud), "admin"), isFor);
    });
  }

  it("that is no JWT is not shown to the admin API", () => {
    assert.equal(isTokenFor("opaque", "admin"), false);
  });
});
