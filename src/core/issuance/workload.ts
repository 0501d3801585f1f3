/**
 * The three steps from a CSR to a workload certificate, each a function of its own so that the server can run one step
 * for everybody who waits before the next (measured to be a fifth cheaper than one caller at a time).
 */

import type { Caller } from "../identity/caller.ts";
import { CsrError, parseCsr, verifyCsrSignature } from "../x509/csr.ts";
import type { Certificate } from "../x509/certificate.ts";
import { encodePem, parseSinglePem } from "../x509/pem.ts";
import { workloadProfile } from "../x509/profile.ts";
import type { PublicKey } from "../x509/public-key.ts";
import { signLeaf, type Authority } from "./authority.ts";
import { checkIssued, type IssuedIntent } from "./check-issued.ts";
import { decideValidity, resolveTtlSeconds, type TtlPolicy } from "./validity.ts";

export interface IssuedWorkload {
  readonly certificate: Certificate;
  /** As `IstioCertificateResponse.cert_chain` wants it. */
  readonly certChain: readonly string[];
}

/**
 * Step 1: whose key is it? Only the public key and its proof of possession are taken from the CSR.
 * @throws CsrError, PublicKeyError, PemError
 */
export function proveKey(csrPem: string): PublicKey {
  const csr = parseCsr(parseSinglePem(csrPem, "CERTIFICATE REQUEST"));
  if (!verifyCsrSignature(csr)) {
    throw new CsrError("csr-signature-invalid", "the CSR's signature does not match its key");
  }
  return csr.publicKey;
}

export interface SigningOrder {
  readonly caller: Caller;
  readonly publicKey: PublicKey;
  readonly requestedTtlSeconds: bigint;
}

export interface SignedWorkload {
  readonly der: Uint8Array;
  readonly intent: IssuedIntent;
}

/**
 * Step 2: sign what the caller may have.
 * @param serial 16 random octets
 * @throws IssuanceError
 */
export function signWorkload(
  order: SigningOrder,
  authority: Authority,
  policy: TtlPolicy,
  serial: Uint8Array,
  nowMs: number,
): SignedWorkload {
  const validity = decideValidity(
    nowMs,
    resolveTtlSeconds(order.requestedTtlSeconds, policy),
    workloadProfile.backdateSeconds,
    authority.certificate.notAfterMs,
  );
  const { publicKey } = order;
  const names = { uris: [order.caller.id.toString()] };
  const tbs = authority.encodeWorkload({
    serial,
    publicKey,
    subjectAltNames: names,
    ...validity,
  });
  const intent = { profile: workloadProfile, tbs, serial, validity, names, spki: publicKey.spki };
  return { der: signLeaf(authority, tbs), intent };
}

/**
 * Step 3: read it back, and lay out the reply.
 * @param signature "skip" only for a certificate of a batch of which another one's is verified
 * @throws IssuanceError `certificate-check-failed`
 */
export function completeWorkload(
  signed: SignedWorkload,
  authority: Authority,
  signature: "verify" | "skip" = "verify",
): IssuedWorkload {
  const certificate = checkIssued(signed.der, signed.intent, authority, signature);
  return {
    certificate,
    certChain: [encodePem(signed.der, "CERTIFICATE"), ...authority.chainTail],
  };
}
