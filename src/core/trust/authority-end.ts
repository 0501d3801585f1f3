/** How long an authority can sign: until the first certificate on its way to the root expires. */

import { parseCertificate } from "../x509/certificate.ts";
import type { AuthorityRecord, NewAuthority } from "./authority.ts";
import { authorityExpiring } from "./rotation-refusals.ts";
import type { RotationEvidence, RotationRefusal } from "./rotation.ts";

/** Unix milliseconds. @throws CertificateError, DerError */
export function authorityEndsAtMs({ chain, root }: Pick<NewAuthority, "chain" | "root">): number {
  return Math.min(...[...chain, root].map((der) => parseCertificate(der).notAfterMs));
}

/** What it signs ends with it: certificates that are too short soon, and then none. */
export function endsTooSoon(
  authority: NewAuthority & Partial<Pick<AuthorityRecord, "state">>,
  { endsAtMs }: Pick<RotationEvidence, "endsAtMs">,
  neededMs: number,
  nowMs: number,
): RotationRefusal | undefined {
  const endMs = endsAtMs(authority);
  const untilMs = nowMs + neededMs;
  return endMs < untilMs ? authorityExpiring(authority, endMs, untilMs) : undefined;
}
