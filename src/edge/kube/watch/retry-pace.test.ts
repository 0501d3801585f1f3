import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError, type KubeErrorCode } from "../kube-error.ts";
import { RetryPace } from "./retry-pace.ts";

const error = (code: KubeErrorCode, retryAfterMs?: number): KubeError =>
  new KubeError(code, "x", { retryAfterMs });

describe("a watch that has failed", () => {
  it("is tried again after 0.5 s, then twice as long up to 30 s, and after 0.5 s once it has succeeded", () => {
    const pace = new RetryPace(1);
    const times = Array.from({ length: 9 }, () => pace.delayMs(error("kube-unreachable"), 1));
    assert.deepEqual(times, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    pace.succeeded();
    assert.equal(pace.delayMs(error("kube-unreachable"), 0), 250);
  });

  it("is never tried sooner than the API server asks for", () => {
    const pace = new RetryPace(1);
    assert.equal(pace.delayMs(error("kube-throttled", 7_000), 0), 7_000);
    assert.equal(pace.delayMs(error("kube-throttled", 0), 1), 1_000);
  });

  it("is listed again at once when its version is gone, also after other failures, but not for ever", () => {
    const pace = new RetryPace(1);
    pace.delayMs(error("kube-forbidden"), 1);
    assert.equal(pace.delayMs(error("kube-gone"), 1), 0);
    assert.equal(pace.delayMs(error("kube-gone"), 1), 1_000);
    pace.succeeded();
    assert.equal(pace.delayMs(error("kube-gone"), 1), 0);
  });

  it("is tried again soon when the API server is there again and refuses it at first", () => {
    const pace = new RetryPace(1);
    for (let failures = 0; failures < 8; failures++) pace.delayMs(error("kube-unreachable"), 1);
    const times = Array.from({ length: 3 }, () => pace.delayMs(error("kube-forbidden"), 1));
    assert.deepEqual(times, [500, 1_000, 2_000]);
  });

  it("is looked for now and then when it is not there", () => {
    const pace = new RetryPace(30_000);
    const times = Array.from({ length: 3 }, () => pace.delayMs(error("kube-not-found"), 1));
    assert.deepEqual(times, [30_000, 30_000, 30_000]);
    assert.equal(pace.delayMs(error("kube-unreachable"), 1), 500);
  });
});
