/** What an answer to an SDS stream carries, and what a reply to it proves. */

import { status } from "@grpc/grpc-js";
import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { HeldCertificate } from "../../core/roll/evidence.ts";
import type { EndOfStream } from "../../core/xds/request-limits.ts";
import type { Step, Subscriber } from "../../core/xds/subscriber.ts";
import type { XdsFact, XdsResponse } from "../../core/xds/subscription.ts";

interface Answered {
  readonly subscriber: Subscriber<SecretEvidence>;
}

/** Of the certificate that an ACK proves; undefined for all else. */
export function serialOf({ subscriber }: Answered, fact: XdsFact): string | undefined {
  if (fact.kind !== "acked") return undefined;
  return subscriber.subscriptions.get(fact.name)?.acked?.evidence.certificate?.serialHex;
}

export function hasBundle({ step }: { readonly step: Step<SecretEvidence> }): boolean {
  return step.kind === "continue" && step.response !== undefined && carriesBundle(step.response);
}

export function carriesBundle({ resources }: XdsResponse<SecretEvidence>): boolean {
  return resources.some(({ evidence }) => evidence.rootsDigest !== undefined);
}

export function certificateIn({
  resources,
}: XdsResponse<SecretEvidence>): HeldCertificate | undefined {
  return resources.find(({ evidence }) => evidence.certificate !== undefined)?.evidence.certificate;
}

/** With which gRPC status the stream ends. */
export function endOf(step: EndOfStream): { readonly code: number; readonly details: string } {
  const codes = {
    "invalid-argument": status.INVALID_ARGUMENT,
    "resource-exhausted": status.RESOURCE_EXHAUSTED,
  };
  return { code: codes[step.status], details: step.message };
}
