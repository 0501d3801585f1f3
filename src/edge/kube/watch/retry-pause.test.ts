import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeErrorCode } from "../kube-error.ts";
import { pauseForRetry } from "./retry-pause.ts";

describe("the pause before a watch is tried again", () => {
  /** @param silentMs how long the API server has been silent; it answers again at once. @returns how long it took */
  async function took(code: KubeErrorCode, silentMs: number, ms: number): Promise<number> {
    const beganMs = performance.now();
    let looks = 0;
    await pauseForRetry({
      ms,
      failure: { code },
      nowMs: () => performance.now(),
      aliveMs: () => (looks++ === 0 ? beganMs - silentMs : performance.now() + 1),
      signal: new AbortController().signal,
    });
    return performance.now() - beganMs;
  }

  it("ends when the API server answers again that was away", async () => {
    for (const code of ["kube-unreachable", "kube-unavailable"] as const) {
      assert.ok((await took(code, 10_000, 60_000)) < 30_000);
    }
  });

  const whole: readonly (readonly [string, KubeErrorCode, number])[] = [
    ["it has answered all the time", "kube-unreachable", 1_000],
    ["it wants to be left alone", "kube-throttled", 10_000],
    ["it has refused the watch", "kube-forbidden", 10_000],
  ];
  for (const [why, code, silentMs] of whole) {
    it(`lasts where ${why}`, async () => {
      assert.ok((await took(code, silentMs, 400)) >= 395);
    });
  }

  it("lasts while it is silent, and ends with its owner", async () => {
    const stop = new AbortController();
    const pause = pauseForRetry({
      ms: 60_000,
      failure: { code: "kube-unreachable" },
      nowMs: () => 100_000,
      aliveMs: () => 1,
      signal: stop.signal,
    });
    stop.abort();
    await pause;
  });
});
