import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Laggard, LaggardKind } from "../../../core/roll/laggard.ts";
import { selectLaggards } from "./waiver-selector.ts";

const cart = "spiffe://cluster.local/ns/shop/sa/cart";
const web = "spiffe://cluster.local/ns/shop/sa/web";

const laggard = (kind: LaggardKind, id: string, spiffeId = ""): Laggard => ({
  kind,
  name: spiffeId === "" ? `${kind}/${id}` : `${kind}/${id}@${spiffeId}`,
  spiffeId,
  reason: "not-connected",
  detail: "",
});

const all = [
  laggard("agent", "node-1", cart),
  laggard("agent", "node-2", web),
  laggard("proxy", "sidecar~cart", cart),
  laggard("leaf", "0a1b2c", web),
  laggard("class", "files"),
  laggard("server", "rebuilding"),
  laggard("config-map", "shop"),
];

const table: readonly (readonly [selector: string, indexes: readonly number[]])[] = [
  [`agent/node-1@${cart}`, [0]],
  [cart, [0, 2]],
  ["node-1", [0]],
  ["node-*", [0, 1]],
  ["agent/*", [0, 1]],
  ["*/ns/shop/*", [0, 1, 2, 3]],
  ["*cart", [0, 2]],
  ["s*e*r~c*t", [2]],
  ["leaf/0a*", [3]],
  ["0a1b2", []],
  ["class/files", [4]],
  ["class/*", []],
  ["files", []],
  ["server/*", []],
  ["NODE-1", []],
  ["config-map/shop", [6]],
  ["config-map/*", [6]],
  ["shop", [6]],
];

describe("a waiver's selector", () => {
  for (const [selector, indexes] of table) {
    it(`stands by ${selector} for ${indexes.length} of the laggards`, () => {
      assert.deepEqual(
        selectLaggards(all, selector),
        indexes.map((index) => all[index]),
      );
    });
  }

  it("costs no more than its length times that of a name", () => {
    const long = laggard("agent", "a".repeat(2_000), cart);
    const startedMs = performance.now();
    assert.deepEqual(selectLaggards([long], `${"*a".repeat(500)}*b`), []);
    assert.ok(performance.now() - startedMs < 500);
  });
});
