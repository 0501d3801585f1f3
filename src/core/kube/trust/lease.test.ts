/** Who may hold a Lease, by what is seen of it and by one's own clock. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  decideLease,
  givenBack,
  isLeaseHeld,
  leaseHolder,
  leaseTimes,
  seeLease,
  type Lease,
  type SeenLease,
} from "./lease.ts";

const wallMs = Date.UTC(2026, 10, 30);
const lease: Lease = {
  holder: "host-a_aa_01",
  durationMs: 15_000,
  acquiredMs: wallMs - 60_000,
  renewedMs: wallMs - 1_000,
  transitions: 3,
};
const seen: SeenLease = { lease, version: "7", sinceMs: 1_000 };

describe("a Lease", () => {
  const table = [
    ["is made where there is none", { ...seen, lease: undefined }, "host-b_bb_01", 1_000, "create"],
    ["is renewed by its holder", seen, "host-a_aa_01", 1_000, "renew"],
    ["is renewed by its holder after its time, too", seen, "host-a_aa_01", 99_000, "renew"],
    ["is waited for by a copy of its data directory", seen, "host-c_aa_02", 1_000, "wait"],
    ["is waited for by the next process on its host", seen, "host-a_aa_02", 1_000, "wait"],
    ["is waited for", seen, "host-b_bb_01", 15_999, "wait"],
    [
      "is taken when it has been seen unchanged for its duration",
      seen,
      "host-b_bb_01",
      16_000,
      "take",
    ],
    [
      "that was given back is taken at once",
      { ...seen, lease: givenBack(lease, wallMs) },
      "host-b_bb_01",
      1_000,
      "take",
    ],
  ] as const;
  for (const [title, before, identity, nowMs, kind] of table) {
    it(title, () => {
      const decision = decideLease(before, identity, nowMs, wallMs);
      assert.equal(decision.kind, kind);
    });
  }

  it("keeps when it was acquired while it is renewed, and counts who takes it", () => {
    const renewed = decideLease(seen, lease.holder, 1_000, wallMs);
    const next = { ...lease, renewedMs: wallMs };
    assert.deepEqual(renewed, { kind: "renew", next });
    const taken = decideLease(seen, "host-b_bb_01", 16_000, wallMs);
    const other = { ...lease, holder: "host-b_bb_01", acquiredMs: wallMs, renewedMs: wallMs };
    assert.deepEqual(taken, { kind: "take", next: { ...other, transitions: 4 } });
    const waited = decideLease(seen, "host-b_bb_01", 5_000, wallMs);
    assert.deepEqual(waited, { kind: "wait", holder: "host-a_aa_01", untilMs: 16_000 });
  });

  it("counts from when it was seen first, not from what its holder's clock says", () => {
    assert.equal(seeLease(seen, { lease, version: "7" }, 9_000).sinceMs, 1_000);
    assert.equal(seeLease(seen, { lease, version: "8" }, 9_000).sinceMs, 9_000);
    assert.equal(seeLease(undefined, { lease, version: "7" }, 9_000).sinceMs, 9_000);
  });

  it("is held for the renew deadline after the request that renewed it", () => {
    const { renewDeadlineMs } = leaseTimes;
    assert.equal(isLeaseHeld(undefined, 0), false);
    assert.equal(isLeaseHeld(0, renewDeadlineMs - 1), true);
    assert.equal(isLeaseHeld(0, renewDeadlineMs), false);
    assert.equal(isLeaseHeld(0, Number.NaN), false);
  });

  it("is never held by two, were they of one data directory, however far their clocks and answers are behind", () => {
    const step = fc.record({ who: fc.nat(2), passMs: fc.nat(12_000), delayMs: fc.nat(4_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let nowMs = 0;
        let stored: Lease | undefined;
        let version = 0;
        const views: (SeenLease | undefined)[] = [undefined, undefined, undefined];
        const renewedMs: (number | undefined)[] = [undefined, undefined, undefined];
        for (const { who, passMs, delayMs } of steps) {
          nowMs += passMs;
          const found = { lease: stored, version: stored === undefined ? "" : `${version}` };
          const view = seeLease(views[who], found, nowMs);
          views[who] = view;
          const decision = decideLease(view, leaseHolder("host", "aa", `${who}`), nowMs, 0);
          if (decision.kind === "wait") renewedMs[who] = undefined;
          else {
            const sentMs = nowMs;
            nowMs += delayMs;
            stored = decision.next;
            version++;
            renewedMs[who] = sentMs;
          }
          const holders = renewedMs.filter((sentMs) => isLeaseHeld(sentMs, nowMs));
          assert.ok(holders.length <= 1, `${holders.length} hold it`);
        }
      }),
    );
  });
});
