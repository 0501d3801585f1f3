import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { LinkedList, type Link } from "./linked-list.ts";

describe("a linked list", () => {
  it("does what an array does, wherever elements are taken out", () => {
    const step = fc.option(fc.nat({ max: 9 }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const list = new LinkedList<number>();
        let model: Link<number>[] = [];
        for (const [value, at] of steps.entries()) {
          if (at === undefined) model.push(list.append(value));
          else {
            const link = model[at];
            assert.equal(link !== undefined && list.remove(link), link !== undefined);
            model = model.filter((each) => each !== link);
          }
          assert.deepEqual(
            [...list].map(({ value }) => value),
            model.map(({ value }) => value),
          );
          assert.equal(list.length, model.length);
          assert.equal(list.first, model[0]);
        }
      }),
    );
  });

  it("refuses a link of another list, and one that was removed before", () => {
    const list = new LinkedList<number>();
    const link = list.append(1);
    assert.equal(new LinkedList<number>().remove(link), false);
    assert.equal(list.remove(link), true);
    assert.equal(list.remove(link), false);
    assert.equal(list.length, 0);
  });

  it("may lose the element that was just given while it is read", () => {
    const list = new LinkedList<number>();
    for (const value of [1, 2, 3]) list.append(value);
    const seen: number[] = [];
    for (const link of list) {
      seen.push(link.value);
      list.remove(link);
    }
    assert.deepEqual([seen, list.length, list.first], [[1, 2, 3], 0, undefined]);
  });
});
