/**
 * How soon a request for a certificate should be served. It goes by what the log says of the identity, never by what
 * the caller says of itself.
 */

export type IssuanceClass = "newcomer" | "urgent" | "renewal";

/** The newest certificate of an identity. */
export interface HeldCertificate {
  readonly issuedAtMs: number;
  readonly validUntilMs: number;
}

/**
 * A newcomer holds no valid certificate; an urgent renewal has less than a quarter of its life left. Agents renew at
 * half.
 * @param held undefined where the log has none
 */
export function classify(held: HeldCertificate | undefined, nowMs: number): IssuanceClass {
  if (held === undefined || !(nowMs < held.validUntilMs)) return "newcomer";
  const lifeMs = held.validUntilMs - held.issuedAtMs;
  return (held.validUntilMs - nowMs) * 4 < lifeMs ? "urgent" : "renewal";
}
