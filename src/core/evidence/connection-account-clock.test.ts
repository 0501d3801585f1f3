import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CountedEnvoy,
  envoyBornMs,
  lostOf,
  type Call,
} from "../../../test/support/counted-envoy.ts";
import { ConnectionAccount } from "./connection-account.ts";

const startMs = envoyBornMs + 10_000;
const firstMs = startMs - 3_000;

function plain(fromMs: number, toMs: number): Call {
  return { id: `${fromMs}`, chain: "plaintext-tcp", fromMs, toMs, endToldMs: toMs + 1 };
}

describe("an account whose clock is set", () => {
  const setMs = startMs + 5_500;
  const hourMs = 3_600_000;
  const run = (byMs: number, calls: readonly Call[] = []) => {
    const account = new ConnectionAccount();
    const envoy = new CountedEnvoy([plain(firstMs - 100, firstMs - 50), ...calls]);
    const clock = (ms: number): number => (ms < setMs ? ms : ms + byMs);
    for (let ms = firstMs; ms <= startMs + 10_000; ms += 1_000) {
      if (byMs > 0 && ms - 1_000 < setMs && ms >= setMs) account.clockSetForward();
      // Envoy's age goes by the clock that is set.
      const uptimeSeconds = Math.floor((clock(ms) - envoyBornMs + 2 * hourMs) / 1_000);
      const isTaken = account.flush({ ...envoy.flush(ms, clock), uptimeSeconds }, clock(ms + 10));
      assert.ok(isTaken);
    }
    const { coverage } = account.take();
    const times = coverage.map(({ sinceMs, untilMs }) => [sinceMs - startMs, untilMs - startMs]);
    return { account, coverage, times };
  };
  const before = [firstMs - startMs, 5_000];

  it("forward answers for nothing of what the clock has passed over", () => {
    const { times } = run(hourMs);
    assert.deepEqual(times, [before, [hourMs + 6_000, hourMs + 10_000]]);
  });

  it("forward answers for a listener that comes later from then on", () => {
    const { account } = run(hourMs);
    const nowMs = startMs + hourMs + 11_000;
    const [takenMs, uptimeSeconds] = [nowMs, Math.floor((nowMs - envoyBornMs) / 1_000) + 7_200];
    const ports = new Map([[90, { ended: 0, chains: new Map() }]]);
    account.flush({ takenMs, uptimeSeconds, removedListeners: 0, ports }, nowMs);
    const later = account.take().coverage.find(({ port }) => port === 90);
    assert.equal(later?.sinceMs, startMs + hourMs + 6_000);
  });

  it("back goes on from where the clock says it is, and answers for no time that has not come yet", () => {
    assert.deepEqual(run(-4_000).times, [
      [firstMs - startMs, 2_000],
      [2_000, 6_000],
    ]);
    assert.deepEqual(run(-hourMs).times, [[6_000 - hourMs, 10_000 - hourMs]]);
  });

  it("forgets no loss at either side", () => {
    const lostBefore = { ...plain(setMs - 2_400, setMs - 2_300), endToldMs: undefined };
    const lostAfter = { ...plain(setMs + 700, setMs + 800), endToldMs: undefined };
    for (const byMs of [hourMs, -hourMs]) {
      assert.equal(lostOf(run(byMs, [lostBefore, lostAfter]).coverage).unmeshed, 2);
    }
  });

  it("forward, while it looks for where to begin, begins after that", () => {
    const account = new ConnectionAccount();
    const envoy = new CountedEnvoy([plain(firstMs - 100, firstMs - 50)]);
    const clock = (ms: number): number => (ms <= firstMs ? ms : ms + hourMs);
    for (let ms = firstMs; ms <= firstMs + 5_000; ms += 1_000) {
      if (ms === firstMs + 1_000) account.clockSetForward();
      account.flush(envoy.flush(ms, clock), clock(ms + 10));
    }
    const { coverage } = account.take();
    const [first, ...more] = coverage.map(({ sinceMs, untilMs }) => [sinceMs, untilMs]);
    assert.deepEqual(first, [firstMs + hourMs + 1_000, firstMs + hourMs + 5_000]);
    assert.deepEqual(more, []);
  });

  it("again and again, while nobody asks, answers for the newest 32 times", () => {
    const account = new ConnectionAccount();
    const envoy = new CountedEnvoy([plain(firstMs - 100, firstMs - 50)]);
    for (let at = 0; at < 200; at++) {
      if (at % 2 === 0) account.clockSetForward();
      account.flush(envoy.flush(firstMs + at * 1_000), firstMs + at * 1_000);
    }
    const { coverage } = account.take();
    assert.equal(coverage.length, 33);
    assert.equal(coverage.at(-1)?.untilMs, firstMs + 199_000);
  });
});
