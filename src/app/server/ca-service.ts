/** `istio.v1.auth.IstioCertificateService`: from a gRPC call to the issuance queue and back. */

import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { Caller } from "../../core/identity/caller.ts";
import { findBearer } from "../../edge/authn/bearer.ts";
import type {
  CertificateRequestMessage,
  CertificateResponseMessage,
} from "../../edge/rpc/ca-messages.ts";
import { CaCallError, refusalOf, refusalStatus } from "../../edge/rpc/ca-status.ts";
import { findPeer } from "../../edge/rpc/peer.ts";
import type { CallContext, ServerEvents } from "../../edge/telemetry/server-events.ts";
import type { CallerAuthentication, Credential } from "./caller-authentication.ts";
import type { IssuanceQueue } from "./issuance-queue.ts";

export interface CaDependencies {
  readonly queue: IssuanceQueue;
  readonly authentication: () => Pick<
    CallerAuthentication,
    "authenticateCredential" | "recordIssued"
  >;
  readonly events: ServerEvents;
  readonly pods: { set(serialHex: string, pod: string): unknown };
  readonly nowMs: () => number;
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
  const { queue, authentication, events, pods, nowMs, requestId } = dependencies;
  return (call, reply) => {
    const context: CallContext = {
      requestId: requestId(),
      peer: call.getPeer(),
      startedMs: nowMs(),
    };
    events.csrReceived();
    const refuse = (error: unknown, caller: Caller | undefined): void => {
      const refusal = refusalOf(error);
      events.requestRefused(context, caller, refusal, error);
      reply(refusalStatus(refusal, context.requestId));
    };
    if (call.request.isTooLarge) {
      return refuse(
        new CaCallError("message-too-large", "expected a request of 64 KiB at most"),
        undefined,
      );
    }
    queue.submit({
      authenticate: (now) => authentication().authenticateCredential(credentialOf(call), now),
      csrPem: call.request.csr,
      requestedTtlSeconds: call.request.validityDurationSeconds,
      impersonatedIdentity: call.request.impersonates,
      deadlineMs: deadlineOf(call.getDeadline(), context.startedMs + dependencies.deadlineMs),
      isCancelled: () => call.cancelled,
      onIssued: (issued, certChain, caller) => {
        try {
          authentication().recordIssued(caller, issued);
        } catch (error) {
          return refuse(error, caller);
        }
        const { pod } = caller.evidence;
        if (pod !== undefined) pods.set(issued.serialHex, pod.name);
        events.certificateIssued(context, caller, issued, nowMs());
        reply(null, { certChain });
      },
      onRefused: refuse,
    });
  };
}

/** Either of the two, and the certificate only where the call says nothing itself. */
function credentialOf(call: ServerUnaryCall<unknown, unknown>): Credential {
  const token = findBearer(call.metadata.get("authorization").map(String));
  return token === undefined ? { peer: findPeer(call.getAuthContext()) } : { token };
}

/** The earlier of the caller's deadline and ours. */
function deadlineOf(callers: Date | number, oursMs: number): number {
  const callersMs = Number(callers);
  return Number.isFinite(callersMs) ? Math.min(callersMs, oursMs) : oursMs;
}
