import assert from "node:assert/strict";
import { it } from "node:test";
import { DeniedError } from "../../core/deny/deny-error.ts";
import type { Caller, CallerEvidence } from "../../core/identity/caller.ts";
import { RateLimits } from "../../core/issuance/rate-limits.ts";
import { RateLimitError } from "../../core/issuance/rate-limit-error.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { admission } from "./admission.ts";

const id = SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart");
const nowMs = 1_795_521_600_000;
const callerOf = (evidence: CallerEvidence): Caller => ({ id, expiresAtMs: Infinity, evidence });
const jwt: CallerEvidence = { method: "jwt", issuer: "https://issuer" };
const certificate: CallerEvidence = {
  method: "certificate",
  serialHex: "ab01",
  joinTokenId: "1",
  enrolledAtMs: nowMs,
};
const none = (): RateLimits => new RateLimits({});

it("asks whether the identity is denied, and the certificate that it comes with", () => {
  const asked: unknown[] = [];
  const assertNotDenied = (...each: readonly unknown[]): void => void asked.push(each);
  const admit = admission({ assertNotDenied, rates: none(), random: () => 0 });
  admit(callerOf(jwt), nowMs);
  admit(callerOf(certificate), nowMs);
  assert.deepEqual(asked, [
    [id.toString(), undefined],
    [id.toString(), "ab01"],
  ]);
});

it("takes nothing from the rates of somebody who is denied", () => {
  const rates = new RateLimits({ identity: { ratePerSecond: 1, burst: 1 } });
  let isDenied = true;
  const assertNotDenied = (): void => {
    if (isDenied) throw new DeniedError("identity-denied", "scripted");
  };
  const admit = admission({ assertNotDenied, rates, random: () => 0 });
  for (let each = 0; each < 10; each++) {
    assert.throws(() => admit(callerOf(jwt), nowMs), DeniedError);
  }
  isDenied = false;
  admit(callerOf(jwt), nowMs);
  assert.throws(() => admit(callerOf(jwt), nowMs), RateLimitError);
});
