import assert from "node:assert/strict";
import { test } from "node:test";
import { refusedNames } from "./refused-names.ts";

const carried = ["inbound_8080", "inbound_80", "outbound|80||db.shop.svc"];

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ["finds the name", "Error adding/updating listener(s) inbound_80: no", ["inbound_80"]],
  ["takes no name for a part of another", "listener(s) inbound_8080: no", ["inbound_8080"]],
  ["finds two", "inbound_80: no, inbound_8080: no", ["inbound_80", "inbound_8080"]],
  [
    "finds names with bars",
    "cluster(s) outbound|80||db.shop.svc: no",
    ["outbound|80||db.shop.svc"],
  ],
  ["names what is news where no name is said", "unable to bind", ["inbound_80"]],
];
for (const [what, detail, names] of cases) {
  test(what, () => {
    assert.deepEqual(
      refusedNames(detail, carried, (name) => name === "inbound_80"),
      names,
    );
  });
}

test("names 64 at most", () => {
  const many = Array.from({ length: 100 }, (_, index) => `inbound_${index}`);
  assert.equal(refusedNames("no", many, () => true).length, 64);
});
