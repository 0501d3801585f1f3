import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MultiMap } from "./multi-map.ts";

test("has what was added and not taken away, each once and in order", () => {
  const values = [{ name: "a" }, { name: "b" }, { name: "c" }];
  const step = fc.record({ add: fc.boolean(), key: fc.nat(1), value: fc.constantFrom(...values) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new MultiMap<number, (typeof values)[number]>();
      const model = new Map([0, 1].map((key) => [key, new Set<(typeof values)[number]>()]));
      for (const { add, key, value } of steps) {
        if (add) map.add(key, value);
        else map.delete(key, value);
        if (add) model.get(key)?.add(value);
        else model.get(key)?.delete(value);
      }
      for (const [key, of] of model) {
        assert.deepEqual([...map.of(key)], [...of]);
        assert.equal(map.has(key), of.size > 0);
      }
      assert.equal(
        map.isEmpty,
        [...model.values()].every(({ size }) => size === 0),
      );
    }),
  );
});
