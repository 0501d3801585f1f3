import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthnError, type AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { UsedTokens } from "./used-tokens.ts";

const START_MS = 1_795_521_600_000;
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
  const used = new UsedTokens(START_MS);
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

test("forgets nothing that is still good: full, it takes no more until some are over", () => {
  const used = new UsedTokens(START_MS, 3);
  for (const id of ["1", "2", "3"]) used.use(use(id), START_MS);
  assert.throws(() => used.use(use("4"), START_MS + 299_999), isRefused("identities-unavailable"));
  assert.throws(() => used.use(use("1"), START_MS + 299_999), isRefused("token-replayed"));
  used.use({ ...use("4"), expiresAtMs: START_MS + 600_000 }, START_MS + 300_000);
});
