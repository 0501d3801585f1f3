import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { SpiffeId } from "../spiffe/id.ts";
import type { RateLimit } from "./rate-bucket.ts";
import { RateLimitError, type RateScope } from "./rate-limit-error.ts";
import { namespaceOf, RateLimits, type RateLimitConfig } from "./rate-limits.ts";

const web = SpiffeId.parse("spiffe://td/ns/shop/sa/web");
const cart = SpiffeId.parse("spiffe://td/ns/shop/sa/cart");
const bank = SpiffeId.parse("spiffe://td/ns/bank/sa/web");
const machine = SpiffeId.parse("spiffe://td/vm/one");

/** What `admit` said, undefined for yes. */
function refusal(
  limits: RateLimits,
  id: SpiffeId,
  nowMs: number,
  random = 0,
): RateLimitError | undefined {
  try {
    limits.admit(id, nowMs, random);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RateLimitError);
    return error;
  }
}

describe("the namespace of an identity", () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ["/ns/shop/sa/web", "shop"],
    ["/ns/shop/sa/web/x", undefined],
    ["/ns/shop/sa", undefined],
    ["/ns/shop", undefined],
    ["/NS/shop/sa/web", undefined],
    ["/x/ns/shop/sa/web", undefined],
    ["/vm/one", undefined],
    ["", undefined],
  ];
  for (const [path, expected] of table) {
    it(`of ${path || "the trust domain"} is ${expected ?? "none"}`, () =>
      assert.equal(namespaceOf(SpiffeId.parse(`spiffe://td${path}`)), expected));
  }
});

/** Whole tokens times ms, so that it is exact; no bound on keys. */
class Model {
  readonly config: RateLimitConfig;
  readonly missing = new Map<string, { units: number; atMs: number }>();

  constructor(config: RateLimitConfig) {
    this.config = config;
  }

  missingOf(key: string, { ratePerSecond }: RateLimit, nowMs: number): number {
    const { units, atMs } = this.missing.get(key) ?? { units: 0, atMs: 0 };
    return Math.max(0, units - (nowMs - atMs) * ratePerSecond);
  }

  keys(id: SpiffeId): readonly (readonly [RateScope, string, RateLimit])[] {
    const { identity, namespace, global } = this.config;
    const ns = namespaceOf(id);
    return [
      ...(identity === undefined ? [] : [["identity", id.toString(), identity] as const]),
      ...(namespace === undefined || ns === undefined
        ? []
        : [["namespace", ns, namespace] as const]),
      ...(global === undefined ? [] : [["global", "", global] as const]),
    ];
  }

  /** Undefined where it would be let in. */
  refusedBy(id: SpiffeId, nowMs: number): RateScope | undefined {
    return this.keys(id).find(
      ([, key, limit]) => this.missingOf(key, limit, nowMs) + 1_000 > limit.burst * 1_000,
    )?.[0];
  }

  take(id: SpiffeId, nowMs: number): void {
    for (const [, key, limit] of this.keys(id)) {
      this.missing.set(key, { units: this.missingOf(key, limit, nowMs) + 1_000, atMs: nowMs });
    }
  }
}

const limit = fc.record({
  ratePerSecond: fc.integer({ min: 1, max: 20 }),
  burst: fc.integer({ min: 1, max: 6 }),
});
const config: fc.Arbitrary<RateLimitConfig> = fc.record(
  { identity: limit, namespace: limit, global: limit },
  { requiredKeys: [] },
);
const asked = fc.array(fc.tuple(fc.constantFrom(web, cart, bank, machine), fc.nat({ max: 150 })), {
  maxLength: 120,
  size: "max",
});

describe("the rate limits", () => {
  it("let in what three buckets let in together, and take nothing where one of them refuses", () => {
    const counts = new Map<RateScope | undefined, number>();
    fc.assert(
      fc.property(config, asked, (config, asked) => {
        const limits = new RateLimits(config);
        const model = new Model(config);
        let nowMs = 0;
        for (const [id, passedMs] of asked) {
          nowMs += passedMs;
          const expected = model.refusedBy(id, nowMs);
          if (expected === undefined) model.take(id, nowMs);
          assert.equal(refusal(limits, id, nowMs)?.scope, expected);
          counts.set(expected, (counts.get(expected) ?? 0) + 1);
        }
      }),
      { numRuns: 300 },
    );
    for (const scope of ["identity", "namespace", "global", undefined] as const) {
      assert.ok((counts.get(scope) ?? 0) > 50, `${scope}`);
    }
  });

  it("never give a limited identity a fresh bucket, however few keys they may remember", () => {
    let crowded = 0;
    const ids = Array.from({ length: 8 }, (_, i) => SpiffeId.parse(`spiffe://td/vm/${i}`));
    const asked = fc.array(fc.tuple(fc.constantFrom(...ids), fc.nat({ max: 300 })), {
      maxLength: 120,
      size: "max",
    });
    fc.assert(
      fc.property(limit, fc.integer({ min: 1, max: 4 }), asked, (identity, keysMax, asked) => {
        const limits = new RateLimits({ identity }, keysMax);
        const model = new Model({ identity });
        const admittedAtMs = new Map<SpiffeId, number>();
        const fillMs = (identity.burst * 1_000) / identity.ratePerSecond;
        let nowMs = 0;
        for (const [id, passedMs] of asked) {
          nowMs += passedMs;
          const wanted = model.refusedBy(id, nowMs);
          const got = refusal(limits, id, nowMs);
          if (got === undefined) {
            assert.equal(wanted, undefined, "let in although its bucket is empty");
            model.take(id, nowMs);
            admittedAtMs.set(id, nowMs);
          } else if (wanted === undefined) {
            // Only where so many others were let in within the time in which a bucket fills.
            assert.equal(got.scope, "global");
            const recent = [...admittedAtMs.values()].filter((atMs) => nowMs - atMs < fillMs);
            assert.ok(recent.length >= keysMax);
            crowded++;
          }
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(crowded > 100, String(crowded));
  });

  it("name a time at which the caller gets in, if nobody else asks", () => {
    fc.assert(
      fc.property(config, asked, fc.nat({ max: 0.999 * 1000 }), (config, asked, permille) => {
        const limits = new RateLimits(config, 2);
        let nowMs = 0;
        for (const [id, passedMs] of asked) {
          nowMs += passedMs;
          for (let tries = 0; ; tries++) {
            const refused = refusal(limits, id, nowMs, permille / 1000);
            if (refused === undefined) break;
            assert.ok(tries < 5);
            nowMs += refused.retryAfterMs;
          }
        }
      }),
    );
  });

  it("tell 1,000 refused callers 1,000 different times, over as long as the rate needs for them", () => {
    const limits = new RateLimits({ global: { ratePerSecond: 100, burst: 1 } });
    limits.admit(machine, 0, 0);
    const told = Array.from({ length: 1_000 }, (_, k) =>
      refusal(limits, SpiffeId.parse(`spiffe://td/vm/${k}`), 0, (k % 7) / 7),
    ).map((error) => error?.retryAfterMs ?? 0);
    assert.equal(new Set(told).size, 1_000);
    assert.deepEqual(
      told.toSorted((a, b) => a - b),
      told,
    );
    assert.ok((told.at(-1) ?? 0) <= 10_010);
  });

  it("let new callers in as soon as those before them are at rest", () => {
    const limits = new RateLimits({ identity: { ratePerSecond: 1, burst: 1 } }, 100);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 100; i++) {
        limits.admit(SpiffeId.parse(`spiffe://td/vm/${round}-${i}`), round * 1_000, 0);
      }
      assert.equal(refusal(limits, machine, round * 1_000 + 999)?.scope, "global");
    }
  });

  it("keep what was used up when they change, and forget a scope that is left out", () => {
    const slow = { ratePerSecond: 1, burst: 2 };
    const limits = new RateLimits({ identity: slow, global: slow });
    limits.admit(web, 0, 0);
    limits.admit(web, 0, 0);
    assert.equal(refusal(limits, web, 0)?.retryAfterMs, 1_000);
    limits.reload({ identity: slow, namespace: slow }, 0);
    assert.equal(refusal(limits, web, 0)?.scope, "identity");
    assert.equal(refusal(limits, cart, 0), undefined);
    limits.reload({ identity: { ratePerSecond: 10, burst: 2 } }, 0);
    assert.equal(refusal(limits, web, 99)?.scope, "identity");
    assert.equal(refusal(limits, web, 100), undefined);
    limits.reload({}, 100);
    assert.equal(refusal(limits, web, 100), undefined);
  });

  it("reckon the time before a change by the old rate, and the time after it by the new one", () => {
    const limits = new RateLimits({ identity: { ratePerSecond: 1, burst: 2 } });
    limits.admit(web, 0, 0);
    limits.admit(web, 0, 0);
    limits.reload({ identity: { ratePerSecond: 100, burst: 2 } }, 500);
    assert.equal(refusal(limits, web, 504)?.scope, "identity");
    assert.equal(refusal(limits, web, 505), undefined);
  });

  it("refuse a limit that lets nobody in, and keep the old one", () => {
    const limits = new RateLimits({ identity: { ratePerSecond: 1, burst: 1 } });
    limits.admit(web, 0, 0);
    for (const limit of [
      { ratePerSecond: 0, burst: 1 },
      { ratePerSecond: -1, burst: 1 },
      { ratePerSecond: Infinity, burst: 1 },
      { ratePerSecond: Number.NaN, burst: 1 },
      { ratePerSecond: 1, burst: 0.9 },
      { ratePerSecond: 1, burst: Infinity },
      { ratePerSecond: 1, burst: Number.NaN },
    ]) {
      for (const scope of ["identity", "namespace", "global"]) {
        assert.throws(() => limits.reload({ [scope]: limit }, 0), { code: "rate-limit-invalid" });
      }
    }
    assert.equal(refusal(limits, web, 999)?.scope, "identity");
  });
});
