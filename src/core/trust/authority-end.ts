/** How long an authority can sign: until the first certificate on its way to the root expires. */

import { parseCertificate } from "../x509/certificate.ts";
import type { NewAuthority } from "./authority.ts";

/** Unix milliseconds. @throws CertificateError, DerError */
export function authorityEndsAtMs({ chain, root }: Pick<NewAuthority, "chain" | "root">): number {
  return Math.min(...[...chain, root].map((der) => parseCertificate(der).notAfterMs));
}
