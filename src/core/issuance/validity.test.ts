import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { IssuanceError, type IssuanceErrorCode } from "./issuance-error.ts";
import { decideValidity, resolveTtlSeconds } from "./validity.ts";

const hour = 3_600;
const policy = { defaultTtlSeconds: hour, maxTtlSeconds: 2 * hour };
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

const hasCode =
  (code: IssuanceErrorCode) =>
  (error: unknown): boolean =>
    error instanceof IssuanceError && error.code === code;

describe("a requested TTL", () => {
  it("is the default at 0 and below, itself up to the maximum", () => {
    const table: readonly (readonly [bigint, number])[] = [
      [int64Min, hour],
      [-1n, hour],
      [0n, hour],
      [1n, 1],
      [60n, 60],
      [7_199n, 7_199],
      [7_200n, 7_200],
    ];
    for (const [requested, ttl] of table) assert.equal(resolveTtlSeconds(requested, policy), ttl);
  });

  it("is refused above the maximum", () => {
    for (const requested of [7_201n, 2n ** 31n, 2n ** 53n + 1n, int64Max]) {
      assert.throws(() => resolveTtlSeconds(requested, policy), hasCode("ttl-too-long"));
    }
  });

  it("is refused in the words of Istio's CA, which clients match", () => {
    assert.throws(() => resolveTtlSeconds(10_800n, policy), {
      message: "requested TTL 3h0m0s is greater than the max allowed TTL 2h0m0s",
    });
  });
});

describe("a validity", () => {
  const nowMs = Date.UTC(2026, 10, 24, 12);
  const dayMs = 86_400_000;

  it("is the TTL from now and two minutes before", () => {
    const { notBeforeMs, notAfterMs } = decideValidity(nowMs, hour, 120, nowMs + dayMs);
    assert.equal(notBeforeMs, nowMs - 120_000);
    assert.equal(notAfterMs, nowMs + 3_600_000);
    assert.equal(notAfterMs - notBeforeMs - 120_000, hour * 1_000);
  });

  it("ends with its issuer at the latest", () => {
    for (const [issuerMs, notAfterMs] of [
      [nowMs + 3_600_000 + 1_000, nowMs + 3_600_000],
      [nowMs + 3_600_000, nowMs + 3_600_000],
      [nowMs + 3_600_000 - 1_000, nowMs + 3_600_000 - 1_000],
      [nowMs + 1_000, nowMs + 1_000],
    ] as const) {
      assert.equal(decideValidity(nowMs, hour, 120, issuerMs).notAfterMs, notAfterMs);
    }
  });

  it("is refused from the moment on at which the issuer has expired", () => {
    for (const sinceMs of [0, 1, 999, 1_000, dayMs]) {
      assert.throws(
        () => decideValidity(nowMs + sinceMs, hour, 120, nowMs),
        hasCode("issuer-expired"),
      );
    }
    assert.equal(decideValidity(nowMs - 1, hour, 120, nowMs).notAfterMs, nowMs);
  });

  it("is in whole seconds, around now, and within its issuer's", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2060, 0, 1) }),
        fc.integer({ min: 1, max: 90 * 86_400 }),
        fc.integer({ min: 1, max: 400 * 86_400 }),
        (nowMs, ttlSeconds, issuerSeconds) => {
          const issuerMs = (Math.floor(nowMs / 1_000) + issuerSeconds) * 1_000;
          const { notBeforeMs, notAfterMs } = decideValidity(nowMs, ttlSeconds, 120, issuerMs);
          assert.equal(notBeforeMs % 1_000, 0);
          assert.equal(notAfterMs % 1_000, 0);
          assert.ok(notBeforeMs <= nowMs - 120_000 && nowMs < notAfterMs);
          assert.ok(notAfterMs <= issuerMs);
          const fullMs = (ttlSeconds + 120) * 1_000;
          assert.equal(notAfterMs === issuerMs || notAfterMs - notBeforeMs === fullMs, true);
        },
      ),
    );
  });
});
