import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { RefusalsEntry } from "./entry.ts";
import { RefusalTally } from "./refusal-tally.ts";

const limits = { callersMax: 4, reasonsMax: 3 };
const refusal = fc.record({
  caller: fc.oneof(
    fc.constant(""),
    fc.nat({ max: 8 }).map((n) => `spiffe://td/${n}`),
  ),
  reason: fc.oneof(
    fc.nat({ max: 6 }).map((n) => `reason-${n}`),
    fc.constant("other"),
  ),
  address: fc.constantFrom("10.0.0.1", "10.0.0.2"),
});

function total(
  entries: readonly RefusalsEntry[],
  wanted: (entry: RefusalsEntry) => boolean,
): number {
  return entries.filter(wanted).reduce((sum, { count }) => sum + count, 0);
}

describe("the tally of refusals", () => {
  it("counts every refusal once, in a bounded number of entries, under its caller and reason or less", () => {
    fc.assert(
      fc.property(fc.array(refusal, { maxLength: 60, size: "max" }), (refusals) => {
        const tally = new RefusalTally(limits);
        for (const [nowMs, each] of refusals.entries()) {
          tally.add(each.caller, each.reason, each.address, nowMs);
        }
        const size = tally.size;
        const entries = tally.flush(1_000);
        assert.equal(entries.length, size);
        assert.ok(entries.length <= limits.callersMax + limits.reasonsMax + 1);
        assert.equal(
          total(entries, () => true),
          refusals.length,
        );
        for (const entry of entries) check(entry, entries, refusals);
        const names = entries.map(({ caller, reason }) => `${caller} ${reason}`);
        assert.equal(new Set(names).size, names.length);
        assert.deepEqual(tally.flush(2_000), []);
      }),
      { numRuns: 300 },
    );
  });

  it("gives one caller one entry for each reason, however often it is refused", () => {
    const tally = new RefusalTally();
    for (let i = 0; i < 100_000; i++) tally.add("spiffe://td/a", "rate-limited", "10.0.0.1", i);
    tally.add("spiffe://td/a", "identity-denied", "10.0.0.2", 5);
    assert.deepEqual(tally.flush(200_000), [
      {
        kind: "refusals",
        timeMs: 200_000,
        caller: "spiffe://td/a",
        reason: "rate-limited",
        address: "10.0.0.1",
        firstMs: 0,
        lastMs: 99_999,
        count: 100_000,
      },
      {
        kind: "refusals",
        timeMs: 200_000,
        caller: "spiffe://td/a",
        reason: "identity-denied",
        address: "10.0.0.2",
        firstMs: 5,
        lastMs: 5,
        count: 1,
      },
    ]);
  });

  it("stays within its bound against any number of callers and reasons, and has room again after a flush", () => {
    const tally = new RefusalTally();
    for (let i = 0; i < 10_000; i++) {
      tally.add(`spiffe://td/${i}`, `reason-${i}`, "", i);
      tally.add("", `reason-${i}`, "", i);
    }
    const entries = tally.flush(10_000);
    assert.equal(entries.length, 81);
    assert.equal(
      total(entries, () => true),
      20_000,
    );
    tally.add("spiffe://td/x", "token-expired", "", 10_001);
    assert.equal(tally.flush(10_002)[0]?.caller, "spiffe://td/x");
  });
});

type Refusal = { readonly caller: string; readonly reason: string; readonly address: string };

/** What an entry says must have happened. */
function check(
  entry: RefusalsEntry,
  entries: readonly RefusalsEntry[],
  refusals: readonly Refusal[],
): void {
  const { caller, reason, count, firstMs, lastMs, address } = entry;
  assert.ok(count >= 1 && firstMs <= lastMs && lastMs <= entry.timeMs);
  assert.equal(refusals[firstMs]?.address, address);
  const same = refusals.filter((each) => each.caller === caller && each.reason === reason).length;
  if (caller !== "") {
    assert.equal(count, same);
    return;
  }
  if (reason === "other") return;
  // Those without a caller, and those whose caller found no room.
  const named = total(entries, (each) => each.caller !== "" && each.reason === reason);
  assert.equal(count + named, refusals.filter((each) => each.reason === reason).length);
}
