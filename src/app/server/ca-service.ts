/** `istio.v1.auth.IstioCertificateService`: from a gRPC call to the issuance queue and back. */

import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { findBearer } from "../../edge/authn/bearer.ts";
import type {
  CertificateRequestMessage,
  CertificateResponseMessage,
} from "../../edge/rpc/ca-messages.ts";
import { CaCallError, refusalStatus } from "../../edge/rpc/ca-status.ts";
import { findPeer } from "../../edge/rpc/peer.ts";
import type { CallContext } from "../../edge/telemetry/server-events.ts";
import { agentIdOf } from "./mesh/agent-id.ts";
import type { CallerAuthentication, Credential } from "./caller-authentication.ts";
import { outcomeOf, type OutcomeDependencies } from "./issuance-outcome.ts";
import type { IssuanceQueue, IssuanceRequest } from "./issuance-queue.ts";

export interface CaDependencies extends OutcomeDependencies {
  readonly queue: IssuanceQueue;
  readonly authentication: () => Pick<
    CallerAuthentication,
    "authenticateCredential" | "impersonate" | "assertPeer" | "recordIssued"
  >;
  readonly requestId: () => string;
  /** For callers that set no deadline of their own. */
  readonly deadlineMs: number;
}

/** The handler of `CreateCertificate`. */
export function createCertificateHandler(
  dependencies: CaDependencies,
): (
  call: ServerUnaryCall<CertificateRequestMessage, CertificateResponseMessage>,
  reply: sendUnaryData<CertificateResponseMessage>,
) => void {
  const { queue, authentication, events, nowMs, requestId } = dependencies;
  return (call, reply) => {
    const context: CallContext = {
      requestId: requestId(),
      peer: call.getPeer(),
      startedMs: nowMs(),
    };
    events.csrReceived();
    const outcome = outcomeOf(context, dependencies, {
      record: (caller, issued) => authentication().recordIssued(caller, issued),
      grant: (certChain) => reply(null, { certChain }),
      refuse: (refusal) => reply(refusalStatus(refusal, context.requestId)),
    });
    if (call.request.isTooLarge) {
      return outcome.onRefused(
        new CaCallError("message-too-large", "expected a request of 64 KiB at most"),
        undefined,
      );
    }
    queue.submit({
      requestId: context.requestId,
      address: context.peer,
      agent: agentIdOf(call.metadata),
      authenticate: (now) => authentication().authenticateCredential(credentialOf(call), now),
      assertPeer: () => authentication().assertPeer(credentialOf(call)),
      csrPem: call.request.csr,
      requestedTtlSeconds: call.request.validityDurationSeconds,
      impersonate: impersonation(call.request.impersonates, authentication),
      deadlineMs: deadlineOf(call.getDeadline(), context.startedMs + dependencies.deadlineMs),
      isCancelled: () => call.cancelled,
      ...outcome,
    });
  };
}

/** Either of the two, and the certificate only where the call says nothing itself. */
function credentialOf(call: ServerUnaryCall<unknown, unknown>): Credential {
  const token = findBearer(call.metadata.get("authorization").map(String));
  if (token === undefined) return { peer: findPeer(call.getAuthContext()) };
  return { token, from: call.getPeer() };
}

function impersonation(
  requested: string,
  authentication: CaDependencies["authentication"],
): IssuanceRequest["impersonate"] {
  if (requested === "") return undefined;
  return (caller, nowMs) => authentication().impersonate(caller, requested, nowMs);
}

/** The earlier of the caller's deadline and ours. */
function deadlineOf(callers: Date | number, oursMs: number): number {
  const callersMs = Number(callers);
  return Number.isFinite(callersMs) ? Math.min(callersMs, oursMs) : oursMs;
}
