/** What a workload of a node agent has: its certificate, and the end of what proved it. */

import type { CertificateSecrets } from "./secrets.ts";
import type { ReceivedCertificate } from "./workload-set.ts";

export interface Held {
  readonly secrets: CertificateSecrets;
  readonly receivedAtMs: number;
  /** The server may ask for it earlier, and so does a bundle without its root. */
  renewAtMs: number;
  readonly tokenExpiresAtMs: number;
}

export function receivedOf({ secrets, receivedAtMs }: Held): ReceivedCertificate {
  return { certificate: secrets.certificate, receivedAtMs };
}

/** Until when it may be served. */
export function validUntilMs({ secrets, tokenExpiresAtMs }: Held): number {
  return Math.min(secrets.certificate.notAfterMs, tokenExpiresAtMs);
}
