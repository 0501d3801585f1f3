/**
 * What a refusal of the server means for a workload. A server may have been told the wrong audience a moment ago: it takes
 * away what nobody has yet, and nothing that was proved before.
 */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { SignOutcome } from "./batch-signer.ts";

export type Refusal = Extract<SignOutcome, { kind: "refused" }>;

export class RenewalError extends PortcullisError<"renewal-refused" | "renewal-root-withdrawn"> {
  override name = "RenewalError";
}

export type RefusalStep =
  /** Nothing is served on the token: its streams end. */
  | "end"
  /** The server has judged the token, and what is held stays until it expires. */
  | "keep"
  /** The server has not judged it. */
  | "retry";

/**
 * Who is denied by name will need a reason of its own in the refusal, and an "end" here whatever is held.
 *
 * @param validUntilMs of what is held; undefined without it
 */
export function decideRefusal(
  { code }: Pick<Refusal, "code">,
  validUntilMs: number | undefined,
  nowMs: number,
): RefusalStep {
  if (!judgements.has(code)) return "retry";
  return validUntilMs !== undefined && nowMs < validUntilMs ? "keep" : "end";
}

export function renewalError(id: SpiffeId | undefined, { code, message }: Refusal): RenewalError {
  const text = `expected a new certificate for ${id?.toString()}, got ${code}: ${message}`;
  return new RenewalError("renewal-refused", text, {
    hint: "the server's log names the reason; the old one is served until it or its token expires",
  });
}

/** It was signed before the root was taken away, and has come after it. */
export function rootWithdrawn({ id }: WorkloadCertificate): RenewalError {
  const text = `expected a certificate for ${id.toString()} under a root of the bundle`;
  return new RenewalError("renewal-root-withdrawn", text);
}

/** The server has judged the token itself. */
const judgements: ReadonlySet<number> = new Set([status.UNAUTHENTICATED, status.PERMISSION_DENIED]);
