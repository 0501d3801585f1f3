/** Whoever was let in at the door gets something, unless it is denied or asks too often. */

import type { Caller } from "../../core/identity/caller.ts";
import type { RateLimits } from "../../core/issuance/rate-limits.ts";

export interface AdmissionDependencies {
  /** @throws DeniedError */
  readonly assertNotDenied: (identity: string, serialHex: string | undefined) => void;
  readonly rates: RateLimits;
  /** In [0, 1). */
  readonly random: () => number;
}

/** @throws DeniedError */
export function assertCallerNotDenied(
  assertNotDenied: AdmissionDependencies["assertNotDenied"],
  { id, evidence }: Caller,
): void {
  // Whoever may not have a certificate asks for none in another's name either.
  if (evidence.method === "node") assertNotDenied(evidence.by, undefined);
  assertNotDenied(
    id.toString(),
    evidence.method === "certificate" ? evidence.serialHex : undefined,
  );
}

/** @throws DeniedError, RateLimitError */
export type AssertAdmitted = (caller: Caller, nowMs: number) => void;

export function admission({
  assertNotDenied,
  rates,
  random,
}: AdmissionDependencies): AssertAdmitted {
  return (caller, nowMs) => {
    assertCallerNotDenied(assertNotDenied, caller);
    rates.admit(caller.id, nowMs, random());
  };
}
