import assert from "node:assert/strict";
import { test } from "node:test";
import { shortName } from "./laggard-name.ts";

const spiffeId = "spiffe://cluster.local/ns/mesh/sa/cart";

const cases: readonly (readonly [kind: string, name: string, short: string])[] = [
  ["agent", `agent/9c8c87fb-9bc3-4e4f-9ab9-8a2c81824e43@${spiffeId}`, "agent of cart"],
  ["proxy", `proxy/cart@${spiffeId}`, "proxy/cart"],
  ["leaf", "leaf/09b1db0581fed9308faec4fe8bdeb1bf", "leaf/09b1db05"],
  ["server", "server/rebuilding", "server/rebuilding"],
];

for (const [kind, name, short] of cases) {
  test(`says ${short} for a laggard that is a ${kind}`, () => {
    assert.equal(shortName({ kind, name, spiffeId }), short);
  });
}
