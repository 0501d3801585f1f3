/** The fuzzer finds what is planted: an error that is not typed, a property that fails, an input that is slow. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PortcullisError } from "../../src/core/error.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { seededRandom } from "../support/mutate.ts";
import { Coverage } from "./coverage.ts";
import { fuzz } from "./engine.ts";
import type { Fault } from "./fault.ts";
import { damage } from "./mutator.ts";
import { valueOrNoProtobuf, valueOrTyped, type FuzzTarget } from "./target.ts";

const seed = Buffer.from("key: value 12\nother: [1, 2]\n");

function planted(check: (text: string) => boolean): FuzzTarget {
  return {
    name: "planted",
    shape: "text",
    dictionary: ["magic"],
    seeds: () => ({}),
    check: (input) => check(Buffer.from(input).toString("latin1")),
  };
}

/** The clocks go by tries, so that the outcome does not hang on the machine. */
function run(target: FuzzTarget, batches: number, inputMs = 0): Fault[] {
  const faults: Fault[] = [];
  let [nowMs, cpuMs] = [0, 0];
  fuzz({
    target,
    corpus: [seed],
    random: seededRandom(7),
    now: () => nowMs++,
    cpuMs: () => (cpuMs += inputMs),
    endMs: batches,
    onFault: (fault) => faults.push(fault),
  });
  return faults;
}

describe("the fuzzer", () => {
  it("finds an error that is not typed, once, and makes its input small", () => {
    const target = planted((text) => {
      if (text.includes("magic")) throw new RangeError("boom 12");
      return true;
    });
    const [fault, second] = run(target, 10);
    assert.equal(Buffer.from(fault?.input ?? []).toString(), "magic");
    assert.equal(second, undefined);
  });

  it("tells two faults apart", () => {
    const target = planted((text) => {
      if (text.includes("magic")) throw new RangeError("one");
      assert.ok(!text.includes("99"), "two");
      return true;
    });
    assert.equal(run(target, 100).length, 2);
  });

  it("calls a fault what is slow at each of three tries", () => {
    const [fault] = run(
      planted(() => true),
      1,
      201,
    );
    assert.equal(fault?.site, "slow");
    assert.deepEqual(
      run(
        planted(() => true),
        1,
        200,
      ),
      [],
    );
  });

  it("does the same again for the same seed", () => {
    const inputs = () => {
      const random = seededRandom(11);
      const target = planted(() => true);
      return Array.from({ length: 500 }, () => Buffer.from(damage(seed, target, seed, random)));
    };
    assert.deepEqual(inputs(), inputs());
  });

  it("sees code that has not run before, and the same code once", () => {
    using coverage = new Coverage();
    const isNewFor = (text: string): boolean => {
      valueOrTyped(() => SpiffeId.parse(text));
      return coverage.hasNew(true);
    };
    isNewFor("spiffe://td/a");
    assert.equal(isNewFor("spiffe://td/b"), false);
    assert.equal(isNewFor("spiffe://td/%"), true);
    assert.equal(isNewFor("spiffe://td/!"), false);
  });
});

describe("an error is expected", () => {
  it("when it is typed, and no other is", () => {
    const typed = (): never => {
      throw new PortcullisError("some-code", "expected");
    };
    const untyped = (): never => {
      throw new TypeError("undefined is not an object");
    };
    assert.equal(valueOrTyped(typed), undefined);
    assert.throws(() => valueOrTyped(untyped), TypeError);
    assert.throws(() => valueOrNoProtobuf(untyped), TypeError);
  });
});
