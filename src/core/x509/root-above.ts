/**
 * Which root a certificate hangs on. Whoever ended TLS has verified that it hangs on one, and Node does not say on which: what
 * it calls the issuer is what was sent, or has the name that was said. Here only a signature counts.
 */

import { parseCertificate, type Certificate } from "./certificate.ts";
import { isIssuedBy, isIssuingCa } from "./chain.ts";

/** More is sent by nobody who means well, and each costs a look. */
const sentMax = 8;

/**
 * @param leaf DER
 * @param sent what came with it, in any order; DER
 * @param roots DER
 * @returns the one of them that is found first; undefined where none is, or too much was sent
 * @throws CertificateError, DerError
 */
export function rootAbove(
  leaf: Uint8Array,
  sent: readonly Uint8Array[],
  roots: readonly Uint8Array[],
): Uint8Array | undefined {
  if (sent.length > sentMax) return undefined;
  const anchors = roots.map(parseCertificate);
  const left = new Set(sent.map(parseCertificate).filter(isIssuingCa));
  const reached: Certificate[] = [parseCertificate(leaf)];
  // Each is reached once, so that nobody can make it long.
  for (const certificate of reached) {
    const root = anchors.find((each) => isIssuedBy(certificate, each));
    if (root !== undefined) return root.der;
    for (const each of left) {
      if (!isIssuedBy(certificate, each)) continue;
      left.delete(each);
      reached.push(each);
    }
  }
  return undefined;
}
