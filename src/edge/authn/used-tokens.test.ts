import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AuthnError, type AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { assertTokenTime } from "../../core/identity/token-rules.ts";
import { CLOCK_SKEW_MS } from "./token-authenticator.ts";
import { UsedTokens } from "./used-tokens.ts";

const START_MS = 1_795_521_600_000;
const BEFORE_MS = START_MS - CLOCK_SKEW_MS - 1;
const use = (tokenId: string, holder = "h") => ({
  holder,
  tokenId,
  issuedAtMs: START_MS,
  expiresAtMs: START_MS + 300_000,
});

function isRefused(code: AuthnErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof AuthnError && error.code === code;
}

test("takes each token of each holder once", () => {
  const used = new UsedTokens(BEFORE_MS);
  for (const [holder, id] of [
    ["a", "1"],
    ["a", "2"],
    ["b", "1"],
    // What would be one text without a boundary in it.
    ["a1", ""],
    ["", "a1"],
  ] as const) {
    used.use(use(id, holder), START_MS);
    assert.throws(() => used.use(use(id, holder), START_MS), isRefused("token-replayed"));
  }
});

test("takes nothing of before it began to remember", () => {
  const used = new UsedTokens(START_MS + 1);
  assert.throws(() => used.use(use("1"), START_MS + 1), isRefused("token-replayed"));
  const broken = { ...use("1"), issuedAtMs: NaN };
  assert.throws(() => used.use(broken, START_MS + 1), isRefused("token-replayed"));
});

test("calls nothing used before that was made since, and takes it once nobody can have used it", () => {
  const used = new UsedTokens(START_MS);
  const at = (issuedAtMs: number) => () => used.use({ ...use("1"), issuedAtMs }, issuedAtMs);
  assert.throws(at(START_MS), isRefused("identities-unavailable"));
  assert.throws(at(START_MS + CLOCK_SKEW_MS), isRefused("identities-unavailable"));
  assert.doesNotThrow(at(START_MS + CLOCK_SKEW_MS + 1));
});

test("takes no token twice, whenever it is made and used, and whenever the server starts again", () => {
  const seconds = (min: number, max: number) =>
    fc.integer({ min: min * 1000, max: max * 1000 }).map((ms) => START_MS + ms);
  const clock = fc.record({
    issuedAtMs: seconds(-20, 40),
    usesMs: fc.array(seconds(0, 40), { minLength: 2, maxLength: 6 }),
    restartsMs: fc.array(seconds(0, 40), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(clock, ({ issuedAtMs, usesMs, restartsMs }) => {
      const token = { ...use("1"), issuedAtMs };
      const validity = { notBeforeMs: issuedAtMs, expiresAtMs: token.expiresAtMs };
      let used = new UsedTokens(START_MS - 60_000);
      let taken = 0;
      const events = [
        ...usesMs.map((atMs) => ({ atMs, isRestart: false })),
        ...restartsMs.map((atMs) => ({ atMs, isRestart: true })),
      ];
      for (const { atMs, isRestart } of events.toSorted((a, b) => a.atMs - b.atMs)) {
        if (isRestart) {
          used = new UsedTokens(atMs);
          continue;
        }
        try {
          // As the door does it: what is not valid yet never comes to be used.
          assertTokenTime(validity, { clockSkewMs: CLOCK_SKEW_MS }, atMs);
          used.use(token, atMs);
          taken++;
        } catch (error) {
          assert.ok(error instanceof AuthnError, String(error));
        }
      }
      assert.ok(taken <= 1, `taken ${taken} times`);
    }),
    { numRuns: 2_000 },
  );
});

test("forgets nothing that is still good: full, it takes no more until some are over", () => {
  const used = new UsedTokens(BEFORE_MS, 3);
  for (const id of ["1", "2", "3"]) used.use(use(id), START_MS);
  assert.throws(() => used.use(use("4"), START_MS + 299_999), isRefused("identities-unavailable"));
  assert.throws(() => used.use(use("1"), START_MS + 299_999), isRefused("token-replayed"));
  used.use({ ...use("4"), expiresAtMs: START_MS + 600_000 }, START_MS + 300_000);
});
