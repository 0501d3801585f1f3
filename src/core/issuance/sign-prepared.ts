/**
 * The second half of an issuance: the prepared bytes, and no others, are signed, and every certificate is verified
 * before any of the batch leaves. A failure is a fault of ours or of the signer: nothing is sent.
 */

import { hash } from "node:crypto";
import { PortcullisError } from "../error.ts";
import { signLeaf, type Authority } from "./authority.ts";
import { assertPrepared, assertSigned } from "./check-issued.ts";
import { formatSerial } from "./intent-checks.ts";
import { IssuanceError } from "./issuance-error.ts";
import type { PreparedLeaf } from "./prepare.ts";
import { begin, runStep } from "./steps.ts";

export interface IssuedCertificate {
  readonly der: Uint8Array;
  /** Lower-case hex. */
  readonly serialHex: string;
  readonly notAfterMs: number;
  /** SHA-256 of `der`. */
  readonly digest: Uint8Array;
}

/** Whether there may be a signature that nobody was given: what the log's result says. */
export type UnsignedOutcome = "failed" | "unknown";

export type SignOutcome =
  | { readonly kind: "issued"; readonly certificate: IssuedCertificate }
  | {
      readonly kind: "refused";
      /** IssuanceError `certificate-check-failed`, or `signer-failed` with the signer's own error as its cause. */
      readonly error: unknown;
      readonly outcome: UnsignedOutcome;
    };

/**
 * One outcome for each, in their order.
 *
 * @param onThrow what it means that the signer throws: "unknown" of a key in a device, which may have signed all the same
 */
export function signPrepared(
  prepared: readonly PreparedLeaf[],
  authority: Authority,
  onThrow: UnsignedOutcome = "failed",
): readonly SignOutcome[] {
  const own = runStep(begin(prepared), (leaf) => {
    assertPrepared(leaf, authority);
    return leaf;
  });
  const signed = runStep(own, (leaf) => ({ leaf, der: sign(leaf, authority) }));
  const verified = runStep(signed, ({ leaf, der }) => {
    assertSigned(der, leaf, authority);
    return issuedCertificate(der, leaf);
  });
  return verified.map((step, index) => {
    if (step.kind === "done") return { kind: "issued", certificate: step.value };
    const isUntouched = own[index]?.kind === "failed";
    const hasThrown = signed[index]?.kind === "failed";
    const outcome = isUntouched ? "failed" : hasThrown ? onThrow : "unknown";
    return { kind: "refused", error: step.error, outcome };
  });
}

function sign({ tbs }: PreparedLeaf, authority: Authority): Uint8Array {
  try {
    return signLeaf(authority, tbs);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "it gave no reason";
    const hint = cause instanceof PortcullisError ? cause.hint : undefined;
    throw new IssuanceError("signer-failed", `the signer has failed: ${message}`, {
      cause,
      ...(hint !== undefined && { hint }),
    });
  }
}

function issuedCertificate(
  der: Uint8Array,
  { serial, notAfterMs }: PreparedLeaf,
): IssuedCertificate {
  const digest = hash("sha256", der, "buffer");
  return { der, serialHex: formatSerial(serial), notAfterMs, digest };
}
