import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { FlipError } from "./flip-error.ts";
import { defaultStages, formatStage, joiningStage, parseStages } from "./stages.ts";

const written = ["all", "1,all", "1,10%,all", "1,10%,5,50%,all", "100%,all", defaultStages];
const refused: readonly (readonly [text: string, message: RegExp])[] = [
  ["", /expected a number/],
  ["1,10%", /expected "all" as the last stage/],
  ["all,all", /expected "all" once/],
  ["all,1", /expected "all" as the last/],
  ["5,1,all", /each stage to be more/],
  ["5,5,all", /each stage to be more/],
  ["10%,1,5%,all", /each stage to be more/],
  ["0,all", /expected a number/],
  ["0%,all", /expected a number/],
  ["101%,all", /expected a number/],
  ["-1,all", /expected a number/],
  ["1.5,all", /expected a number/],
  ["1e3,all", /expected a number/],
  ["ALL", /expected a number/],
  ["1,,all", /expected a number/],
  [`${"1,".repeat(200)}all`, /expected 1 to 16 stages/],
  [Array.from({ length: 16 }, (_, at) => at + 1).join() + ",all", /expected 1 to 16 stages/],
];

test("stages are read and written again as they were", () => {
  for (const text of written) assert.equal(parseStages(text).map(formatStage).join(","), text);
  assert.deepEqual(parseStages(" 1 , all "), [{ kind: "count", count: 1 }, { kind: "all" }]);
});

describe("refuses", () => {
  for (const [text, message] of refused) {
    test(JSON.stringify(text.slice(0, 30)), () => {
      assert.throws(
        () => parseStages(text),
        (error) =>
          error instanceof FlipError &&
          error.code === "stages-invalid" &&
          message.test(error.message),
      );
    });
  }
});

const workloads = ["c", "a", "d", "b"].map((name) => ({ name, isConnected: name !== "a" }));
const none: ReadonlySet<string> = new Set();

test("who answers joins first, by name", () => {
  assert.deepEqual(joiningStage({ kind: "count", count: 2 }, workloads, none), ["b", "c"]);
  assert.deepEqual(joiningStage({ kind: "count", count: 9 }, workloads, none), [
    "b",
    "c",
    "d",
    "a",
  ]);
});

test("a share is of all, rounded down, and one at least", () => {
  const joining = (percent: number, strict = none) =>
    joiningStage({ kind: "share", percent }, workloads, strict);
  assert.deepEqual(joining(1), ["b"]);
  assert.deepEqual(joining(74), ["b", "c"]);
  assert.deepEqual(joining(50, new Set(["d"])), ["b"]);
  assert.deepEqual(joining(50, new Set(["d", "gone"])), []);
});

test("nobody joins twice, and never more than a stage says", () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 2 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      names,
      names,
      fc.integer({ min: 1, max: 100 }),
      fc.boolean(),
      (all, old, number, isShare) => {
        const strict = new Set(old);
        const stage = isShare
          ? ({ kind: "share", percent: number } as const)
          : ({ kind: "count", count: number } as const);
        const members = all.map((name, at) => ({ name, isConnected: at % 3 > 0 }));
        const joining = joiningStage(stage, members, strict);
        assert.ok(joining.every((name) => all.includes(name) && !strict.has(name)));
        assert.equal(new Set(joining).size, joining.length);
        const size = new Set([...all, ...old]).size;
        const most = isShare ? Math.max(1, Math.floor((size * number) / 100)) : number;
        assert.ok(strict.size + joining.length <= Math.max(most, strict.size));
      },
    ),
  );
});
