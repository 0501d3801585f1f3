/** How long a certificate lives: asked for, defaulted, refused or cut (`istio.md` 1: TTL rules of Istio's CA). */

import { formatGoDuration } from "../duration.ts";
import { IssuanceError } from "./issuance-error.ts";

export interface TtlPolicy {
  readonly defaultTtlSeconds: number;
  readonly maxTtlSeconds: number;
}

/** @param requestedSeconds 0 or less asks for the default; any int64 may come */
export function resolveTtlSeconds(requestedSeconds: bigint, policy: TtlPolicy): number {
  if (requestedSeconds <= 0n) return policy.defaultTtlSeconds;
  if (requestedSeconds > BigInt(policy.maxTtlSeconds)) {
    const requested = formatGoDuration(requestedSeconds);
    const max = formatGoDuration(policy.maxTtlSeconds);
    throw new IssuanceError(
      "ttl-too-long",
      `requested TTL ${requested} is greater than the max allowed TTL ${max}`,
    );
  }
  return Number(requestedSeconds);
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Whole seconds, as X.509 has them. The leaf never outlives its issuer; an expired issuer signs nothing. */
export function decideValidity(
  nowMs: number,
  ttlSeconds: number,
  backdateSeconds: number,
  issuerNotAfterMs: number,
): Validity {
  if (nowMs >= issuerNotAfterMs) {
    throw new IssuanceError("issuer-expired", "the signing certificate has expired");
  }
  const nowSeconds = Math.floor(nowMs / 1_000);
  return {
    notBeforeMs: (nowSeconds - backdateSeconds) * 1_000,
    notAfterMs: Math.min((nowSeconds + ttlSeconds) * 1_000, issuerNotAfterMs),
  };
}
