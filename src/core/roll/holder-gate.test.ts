import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { cart, hourMs, leaf, NOW_MS, wordsOf } from "../../../test/support/roll-scene.ts";
import { holderGate, type HolderView } from "./holder-gate.ts";
import { LeafHolders } from "./leaf-holders.ts";
import type { LeafRecord } from "./leaf-record.ts";

/** Of the root 0a. */
function viewOf(leaves: readonly LeafRecord[], changes: Partial<HolderView> = {}): HolderView {
  const holders = new LeafHolders();
  for (const each of leaves) holders.add(each);
  holders.built();
  return {
    holders,
    root: "0a",
    own: [],
    leafAt: (index) => leaves.find(({ intentIndex }) => intentIndex === index),
    waived: new Set(),
    waivedLeaves: new Set(),
    skewMs: 0,
    lostUntilMs: 0,
    isAdopted: false,
    ...changes,
  };
}

const gateOf = (leaves: readonly LeafRecord[], changes: Partial<HolderView> = {}, nowMs = NOW_MS) =>
  holderGate(viewOf(leaves, changes), nowMs, 10);

describe("the gate of the holders", () => {
  it("opens when there is none", () => {
    assert.deepEqual(gateOf([leaf({ root: "0b" })]), {
      kind: "open",
      evidence: { total: 0, confirmed: 0, weak: 0, waived: 0 },
    });
  });

  it("waits for each certificate, and says when the last one ends", () => {
    const leaves = [
      leaf({ intentIndex: 1, serialHex: "01" }),
      leaf({ intentIndex: 2, serialHex: "02", notAfterMs: NOW_MS + 2 * hourMs }),
    ];
    const gate = gateOf(leaves, { skewMs: 7_000 });
    assert.equal(wordsOf(gate), "certificate/02 unexpired, certificate/01 unexpired");
    assert.ok(gate.kind === "closed");
    assert.equal(gate.lagging, 2);
    assert.equal(gate.opensAtMs, NOW_MS + 2 * hourMs + 8_000);
    assert.equal(gate.laggards[0]?.spiffeId, cart.spiffeId);
    assert.equal(gateOf(leaves, { skewMs: 7_000 }, gate.opensAtMs - 1).kind, "closed");
    assert.equal(gateOf(leaves, { skewMs: 7_000 }, gate.opensAtMs).kind, "open");
  });

  it("names the last to end, whether their root is known or not, and the same ones each time", () => {
    const leaves = Array.from({ length: 300 }, (_, at) =>
      leaf({
        intentIndex: at + 1,
        serialHex: `a${at % 7}${at}`,
        root: at % 2 === 0 ? "0a" : "",
        notAfterMs: NOW_MS + ((at * 37) % 100) * 1_000,
      }),
    );
    const gate = holderGate(viewOf(leaves), NOW_MS, 6);
    assert.ok(gate.kind === "closed");
    assert.equal(gate.lagging, 300);
    const ends = gate.laggards.map(({ endsAtMs = 0 }) => endsAtMs - NOW_MS);
    assert.deepEqual(ends, [100_000, 100_000, 100_000, 99_000, 99_000, 99_000]);
    assert.deepEqual(holderGate(viewOf(leaves.toReversed()), NOW_MS, 6), gate);
    assert.equal(gate.opensAtMs, gate.laggards[0]?.endsAtMs);
  });

  it("waits for those for whom there was no room, and says that, until they have ended", () => {
    const holders = new LeafHolders(1);
    holders.add(leaf({ root: "0b" }));
    holders.add(leaf({ intentIndex: 51, notAfterMs: NOW_MS + 2 * hourMs }));
    holders.built();
    const gate = gateOf([], { holders });
    assert.equal(wordsOf(gate), "server/too-many-certificates too-many");
    assert.equal(gate.kind === "closed" && gate.opensAtMs, NOW_MS + 2 * hourMs + 1_000);
    assert.equal(wordsOf(gateOf([], { holders }, NOW_MS + 2 * hourMs + 1_000)), "open");
  });

  it("waits for what was perhaps signed, and for what hangs on a root that the log does not say", () => {
    for (const outcome of ["unknown", "open"] as const) {
      assert.equal(wordsOf(gateOf([leaf({ outcome })])), "certificate/5a01 perhaps-signed");
    }
    assert.equal(wordsOf(gateOf([leaf({ root: "" })])), "certificate/5a01 root-unknown");
  });

  it("waits for the server's own certificates, for the log to be read, and for what it has lost", () => {
    const own = [
      { name: "grpc", root: "0a" },
      { name: "bundle-endpoint", root: "0b" },
    ];
    assert.equal(wordsOf(gateOf([], { own })), "server/own-certificate-grpc own-certificate");
    const holders = new LeafHolders();
    assert.equal(wordsOf(gateOf([], { holders })), "server/rebuilding rebuilding");
    const lost = { lostUntilMs: NOW_MS + 1 };
    assert.equal(wordsOf(gateOf([], lost)), "class/lost-certificates perhaps-signed");
    const waived = new Set(["class/lost-certificates", "server/rebuilding"]);
    assert.equal(gateOf([], { ...lost, waived }).kind, "open");
    assert.equal(gateOf([], { holders, waived }).kind, "closed");
  });

  it("waits for what others have signed under an adopted root, which nobody here sees, until that is waived", () => {
    const isAdopted = true;
    const gate = gateOf([], { isAdopted });
    assert.equal(wordsOf(gate), "class/signed-elsewhere unobservable");
    assert.ok(gate.kind === "closed");
    assert.deepEqual([gate.lagging, gate.opensAtMs], [1, undefined]);
    assert.match(gate.laggards[0]?.detail ?? "", /wait until the last of them has expired$/);
    const [end, never] = [NOW_MS + 9 * hourMs, NOW_MS + 1e15];
    assert.equal(gateOf([leaf()], { isAdopted }, end).kind, "closed");
    assert.equal(gateOf([], { isAdopted }, never).kind, "closed");
    for (const name of ["class/lost-certificates", "class/signed", "signed-elsewhere"]) {
      assert.equal(gateOf([], { isAdopted, waived: new Set([name]) }).kind, "closed", name);
    }
    const waived = new Set(["class/signed-elsewhere"]);
    assert.deepEqual(gateOf([], { isAdopted, waived }), {
      kind: "open",
      evidence: { total: 1, confirmed: 0, weak: 0, waived: 1 },
    });
    assert.equal(wordsOf(gateOf([leaf()], { isAdopted, waived })), "certificate/5a01 unexpired");
  });

  it("passes over certificates that are waived, and no others", () => {
    const leaves = [leaf({ intentIndex: 1 }), leaf({ intentIndex: 2, serialHex: "02" })];
    const gate = gateOf(leaves, { waivedLeaves: new Set([1, 7]) });
    assert.equal(wordsOf(gate), "certificate/02 unexpired");
    assert.deepEqual(gate.evidence, { total: 2, confirmed: 0, weak: 0, waived: 1 });
    assert.equal(gateOf(leaves, { waivedLeaves: new Set([1, 2]) }).kind, "open");
  });

  it("names somebody even where the log shows nobody", () => {
    const gate = gateOf([leaf()], { leafAt: () => undefined });
    assert.equal(wordsOf(gate), "server/entry-50 rebuilding");
  });

  it("opens exactly when no certificate of the root may be in use, whatever there is", () => {
    const some = fc.record({
      root: fc.constantFrom("0a", "0b", ""),
      endsIn: fc.integer({ min: -5_000, max: 5_000 }),
      isWaived: fc.boolean(),
    });
    const closed = { open: 0, closed: 0 };
    fc.assert(
      fc.property(fc.array(some, { maxLength: 6 }), fc.nat({ max: 3_000 }), (all, skewMs) => {
        const leaves = all.map(({ root, endsIn }, intentIndex) =>
          leaf({ root, notAfterMs: NOW_MS + endsIn, intentIndex }),
        );
        const waivedLeaves = new Set(
          all.flatMap(({ isWaived }, index) => (isWaived ? [index] : [])),
        );
        const isOf = ({ root, endsIn }: (typeof all)[number]): boolean =>
          root !== "0b" && NOW_MS < NOW_MS + endsIn + 1_000 + skewMs;
        const gate = gateOf(leaves, { skewMs, waivedLeaves });
        const held = all.filter(isOf);
        assert.equal(gate.evidence.total, held.length);
        assert.equal(
          gate.kind === "open",
          held.every(({ isWaived }) => isWaived),
        );
        closed[gate.kind] += 1;
      }),
      { numRuns: 500 },
    );
    assert.ok(closed.open > 20 && closed.closed > 20);
  });

  it("over 100,000 certificates takes some milliseconds", (context) => {
    const leaves = Array.from({ length: 100_000 }, (_, intentIndex) => leaf({ intentIndex }));
    const view = viewOf(leaves, { leafAt: (index) => leaves[index] });
    const times = Array.from({ length: 10 }, () => {
      const startMs = performance.now();
      holderGate(view, NOW_MS, 100);
      return performance.now() - startMs;
    });
    context.diagnostic(`${Math.min(...times).toFixed(2)} ms`);
    assert.ok(Math.min(...times) < 40);
  });
});
