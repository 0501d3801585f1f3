/**
 * From CSRs to workload certificates, many at a time. Orders and outcomes are plain data, so that another thread can do
 * it.
 */

import { CsrError, parseCsr, verifyCsrSignature } from "../x509/csr.ts";
import { parseSinglePem } from "../x509/pem.ts";
import type { PublicKey } from "../x509/public-key.ts";
import type { Authority } from "./authority.ts";
import { IssuanceError } from "./issuance-error.ts";
import { prepareSteps, type PrepareOutcome } from "./prepare.ts";
import { signPrepared, type IssuedCertificate } from "./sign-prepared.ts";
import { begin, runStep } from "./steps.ts";
import type { TtlPolicy } from "./validity.ts";

export type { IssuedCertificate } from "./sign-prepared.ts";

/** What a caller who has been authenticated is to get. */
export interface WorkloadOrder {
  /** The caller's, never the CSR's. */
  readonly spiffeId: string;
  readonly csrPem: string;
  readonly requestedTtlSeconds: bigint;
  /** 16 random octets. */
  readonly serial: Uint8Array;
  /** The certificate ends then at the latest, whatever was asked for. */
  readonly notAfterMaxMs?: number;
}

export type WorkloadOutcome =
  | { readonly kind: "issued"; readonly certificate: IssuedCertificate }
  /** CsrError, PemError, DerError, PublicKeyError or IssuanceError. */
  | { readonly kind: "refused"; readonly error: unknown };

/** One outcome for each order, in their order. */
export function prepareWorkloads(
  orders: readonly WorkloadOrder[],
  authority: Authority,
  policy: TtlPolicy,
  nowMs: number,
): readonly PrepareOutcome[] {
  const proven = runStep(begin(orders), ({ spiffeId, csrPem, ...order }) => ({
    ...order,
    profile: "workload" as const,
    names: { uris: [spiffeId] },
    publicKey: proveKey(csrPem),
  }));
  return prepareSteps(proven, authority, policy, nowMs);
}

/** Both halves at once, where nothing is logged between them. */
export function signWorkloads(
  orders: readonly WorkloadOrder[],
  authority: Authority,
  policy: TtlPolicy,
  nowMs: number,
): readonly WorkloadOutcome[] {
  const prepared = prepareWorkloads(orders, authority, policy, nowMs);
  const signed = signPrepared(
    prepared.filter((each) => each.kind === "prepared"),
    authority,
  ).values();
  return prepared.map((each) => {
    if (each.kind === "refused") return each;
    const outcome = signed.next().value;
    if (outcome === undefined) throw new TypeError("a step was skipped");
    return outcome.kind === "issued" ? outcome : { kind: "refused", error: causeOf(outcome.error) };
  });
}

/** A signer's own error says more than that it has failed. */
function causeOf(error: unknown): unknown {
  const isSigner = error instanceof IssuanceError && error.code === "signer-failed";
  return isSigner ? error.cause : error;
}

/**
 * Whose key is it? Only the public key and its proof of possession are taken from a CSR.
 * @throws CsrError, PublicKeyError, PemError, DerError
 */
export function proveKey(csrPem: string): PublicKey {
  const csr = parseCsr(parseSinglePem(csrPem, "CERTIFICATE REQUEST"));
  if (!verifyCsrSignature(csr)) {
    throw new CsrError("csr-signature-invalid", "the CSR's signature does not match its key");
  }
  return csr.publicKey;
}
