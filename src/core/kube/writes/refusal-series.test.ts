import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refusalNote } from "./refusal-notes.ts";
import { RefusalSeriesTable, type RefusalSubject } from "./refusal-series.ts";

const cart: RefusalSubject = { kind: "Pod", namespace: "shop", name: "cart", uid: "u" };

describe("refusals of one object for one reason", () => {
  it("are told at once, and then together every 30 s", () => {
    const table = new RefusalSeriesTable(8);
    const key = table.take(cart, "rate-limited", 1_000) ?? "";
    assert.equal(table.dueMs(key), Number.NEGATIVE_INFINITY);
    table.told(key, 1, 1_000);
    assert.equal(table.dueMs(key), undefined);
    for (let at = 0; at < 50; at++) assert.equal(table.take(cart, "rate-limited", 2_000 + at), key);
    assert.equal(table.dueMs(key), 31_000);
    const { count, lastMs } = table.find(key) ?? {};
    assert.deepEqual([count, lastMs], [51, 2_049]);
  });

  it("are others for another reason, object or UID", () => {
    const table = new RefusalSeriesTable(8);
    const keys = [
      table.take(cart, "rate-limited", 0),
      table.take(cart, "token-revoked", 0),
      table.take({ ...cart, name: "till" }, "rate-limited", 0),
      table.take({ ...cart, uid: "v" }, "rate-limited", 0),
      table.take({ ...cart, kind: "ServiceAccount" }, "rate-limited", 0),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });

  it("begin anew after a pause", () => {
    const table = new RefusalSeriesTable(8);
    const key = table.take(cart, "rate-limited", 0) ?? "";
    table.told(key, 1, 0);
    table.take(cart, "rate-limited", 400_000);
    assert.deepEqual([table.find(key)?.count, table.find(key)?.toldCount], [1, 0]);
  });

  it("are so many at most, until the oldest have ended", () => {
    const table = new RefusalSeriesTable(2);
    const take = (name: string, atMs: number): boolean =>
      table.take({ ...cart, name }, "rate-limited", atMs) !== undefined;
    assert.deepEqual([take("a", 0), take("b", 1), take("c", 2)], [true, true, false]);
    assert.ok(take("c", 360_000));
  });
});

describe("the note of a refusal", () => {
  it("is there for what an operator must see, and for nothing else", () => {
    for (const code of ["identity-denied", "token-revoked", "rate-limited", "token-address"]) {
      assert.match(refusalNote(code)?.note ?? "", new RegExp(`\\(${code};`));
    }
    for (const code of ["token-signature", "queue-full", "identities-unavailable", "internal"]) {
      assert.equal(refusalNote(code), undefined);
    }
  });
});
