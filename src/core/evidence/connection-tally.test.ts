import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { SeenConnections, Source } from "./connection.ts";
import {
  ConnectionTally,
  forgottenAfterMs,
  portKeysMax,
  proxyKeysMax,
} from "./connection-tally.ts";

const address = (text: string): Source => ({ kind: "address", address: text });
const plain: SeenConnections = {
  port: 80,
  kind: "plaintext",
  isRefused: false,
  source: address("10.0.0.1"),
  firstMs: 1_000,
  lastMs: 1_000,
  count: 1,
  claim: "",
};
const from = (at: number, port = 80): SeenConnections => ({
  ...plain,
  port,
  source: address(`10.0.${at >> 8}.${at & 0xff}`),
});

const seen: fc.Arbitrary<SeenConnections> = fc.record({
  port: fc.constantFrom(80, 90),
  kind: fc.constantFrom("mtls", "tls", "passthrough", "plaintext"),
  isRefused: fc.boolean(),
  source: fc.oneof(
    fc.constantFrom("10.0.0.1", "10.0.0.2", "::1").map(address),
    fc.constant({ kind: "identity" as const, spiffeId: "spiffe://td/a" }),
    fc.constant({ kind: "others" as const }),
  ),
  firstMs: fc.nat({ max: 50 }),
  lastMs: fc.integer({ min: 50, max: 100 }),
  count: fc.nat({ max: 3 }),
  claim: fc.constantFrom("", "curl", "kube-probe"),
});

test("gives each kind of source once, with all that was seen of it since the last time", () => {
  const step = fc.oneof({ weight: 5, arbitrary: seen }, fc.constant("take" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const tally = new ConnectionTally();
      const known = new Set<string>();
      let waiting: SeenConnections[] = [];
      for (const each of [...steps, "take" as const]) {
        const isNew = waiting.some((one) => !known.has(keyOf(one)));
        assert.equal(tally.hasNew, isNew);
        if (each !== "take") {
          tally.add(each);
          waiting.push(each);
          continue;
        }
        const taken = tally.take(0);
        assert.deepEqual(new Set(taken.map(keyOf)), new Set(waiting.map(keyOf)));
        assert.equal(new Set(taken.map(keyOf)).size, taken.length);
        for (const one of taken) {
          const all = waiting.filter((other) => keyOf(other) === keyOf(one));
          assert.equal(
            one.count,
            all.map(({ count }) => count).reduce((a, b) => a + b),
          );
          assert.equal(one.firstMs, Math.min(...all.map(({ firstMs }) => firstMs)));
          assert.equal(one.lastMs, Math.max(...all.map(({ lastMs }) => lastMs)));
          known.add(keyOf(one));
        }
        waiting = [];
      }
    }),
    { numRuns: 1_000 },
  );
});

test("gives the same order for the same connections, however they came", () => {
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 20 }), (all) => {
      const [one, other] = [new ConnectionTally(), new ConnectionTally()];
      for (const each of all) one.add(each);
      for (const each of all.toReversed()) other.add(each);
      assert.deepEqual(one.take(0).map(keyOf), other.take(0).map(keyOf));
    }),
  );
});

test("tells the newest claim, again with each report, and none of `others`", () => {
  const tally = new ConnectionTally();
  for (const claim of ["curl", "", "kube-probe", ""]) tally.add({ ...plain, claim });
  tally.add({ ...plain, source: { kind: "others" }, claim: "curl" });
  assert.deepEqual(
    tally.take(0).map(({ claim }) => claim),
    ["", "kube-probe"],
  );
  tally.add(plain);
  assert.equal(tally.take(0)[0]?.claim, "kube-probe");
});

test("counts what a port has no room for without its source, and loses none", () => {
  const tally = new ConnectionTally();
  const callers = 3 * portKeysMax;
  for (let at = 0; at < callers; at++) tally.add(from(at));
  tally.add({ ...from(callers), isRefused: true });
  tally.add(from(0));
  tally.add(from(1, 90));
  const taken = tally.take(0);
  assert.equal(taken.length, portKeysMax + 3);
  const others = taken.filter(({ source }) => source.kind === "others");
  assert.deepEqual(
    others.map(({ count, isRefused }) => [count, isRefused]),
    [
      [callers - portKeysMax, false],
      [1, true],
    ],
  );
  assert.equal(
    taken.reduce((sum, { count }) => sum + count, 0),
    callers + 3,
  );
  assert.equal(taken.find(({ source }) => source.kind === "address")?.count, 2, "a known one");
  assert.equal(tally.hasNew, false);
  tally.add(from(callers + 1));
  assert.equal(tally.hasNew, false, "there is nothing new in `others`");
});

test("has room for so many of all ports together", () => {
  const tally = new ConnectionTally();
  for (let port = 1; port <= 5; port++) {
    for (let at = 0; at < portKeysMax; at++) tally.add(from(at, port));
  }
  const taken = tally.take(0);
  assert.equal(taken.length, proxyKeysMax + 1);
  assert.equal(taken.at(-1)?.count, portKeysMax);
});

const rooms: Readonly<Record<string, Pick<SeenConnections, "kind" | "isRefused">>> = {
  plaintext: { kind: "plaintext", isRefused: false },
  "plaintext that is refused": { kind: "plaintext", isRefused: true },
  mTLS: { kind: "mtls", isRefused: false },
  "mTLS that is refused": { kind: "mtls", isRefused: true },
};
for (const [of, flood] of Object.entries(rooms)) {
  test(`names whoever comes after ${of} from more addresses than there is room for, but in its room`, () => {
    const tally = new ConnectionTally();
    for (let port = 1; port <= 5; port++) {
      for (let at = 0; at < portKeysMax; at++) tally.add({ ...from(at, port), ...flood });
    }
    tally.take(0);
    const isPlain = flood.kind === "plaintext";
    for (const each of Object.values(rooms)) {
      tally.add({ ...from(60_000, 1), ...each });
      const [taken] = tally.take(1);
      const isSame = each === flood || (isPlain && each.kind === "plaintext");
      assert.equal(taken?.source.kind, isSame ? "others" : "address");
    }
  });
}

test("makes room when a source was not seen for an hour, and then takes it for new", () => {
  const tally = new ConnectionTally();
  for (let at = 0; at <= portKeysMax; at++) tally.add(from(at));
  tally.take(1_000);
  tally.add(from(7));
  tally.take(2_000);
  tally.take(1_001 + forgottenAfterMs);
  for (const at of [7, 0, 5_000]) tally.add(from(at));
  assert.ok(tally.hasNew);
  const sources = tally.take(forgottenAfterMs).map(({ source }) => source);
  assert.deepEqual(
    sources,
    [0, 7, 5_000].map((at) => from(at).source),
  );
  tally.add(from(7));
  assert.ok(!tally.hasNew);
});

function keyOf({ port, kind, isRefused, source }: SeenConnections): string {
  return JSON.stringify([port, kind, isRefused, source]);
}
