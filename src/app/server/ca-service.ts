/** `istio.v1.auth.IstioCertificateService`: from a gRPC call to the issuance queue and back. */

import { Metadata, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { extractBearer } from "../../edge/authn/bearer.ts";
import type {
  CertificateRequestMessage,
  CertificateResponseMessage,
} from "../../edge/rpc/ca-messages.ts";
import { refusalOf } from "../../edge/rpc/ca-status.ts";
import type { CallContext, ServerEvents } from "../../edge/telemetry/server-events.ts";
import type { IssuanceQueue } from "./issuance-queue.ts";

export interface CaDependencies {
  readonly queue: IssuanceQueue;
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
  const { queue, events, pods, nowMs, requestId } = dependencies;
  return (call, reply) => {
    const context: CallContext = {
      requestId: requestId(),
      peer: call.getPeer(),
      startedMs: nowMs(),
    };
    events.csrReceived();
    queue.submit({
      token: () => extractBearer(call.metadata.get("authorization").map(String)),
      csrPem: call.request.csr,
      requestedTtlSeconds: call.request.validityDurationSeconds,
      impersonatedIdentity: call.request.impersonates,
      deadlineMs: deadlineOf(call.getDeadline(), context.startedMs + dependencies.deadlineMs),
      isCancelled: () => call.cancelled,
      onIssued: (issued, caller) => {
        const { pod } = caller.evidence;
        if (pod !== undefined) pods.set(issued.certificate.serialHex, pod.name);
        events.certificateIssued(context, caller, issued.certificate, nowMs());
        reply(null, { certChain: issued.certChain });
      },
      onRefused: (error, caller) => {
        const refusal = refusalOf(error);
        events.requestRefused(context, caller, refusal, error);
        const metadata = new Metadata();
        metadata.set("x-request-id", context.requestId);
        if (refusal.retryAfterMs !== undefined) {
          // gRFC A6: a client that retries waits this long first.
          metadata.set("grpc-retry-pushback-ms", String(refusal.retryAfterMs));
        }
        reply({ code: refusal.grpcCode, details: refusal.message, metadata });
      },
    });
  };
}

/** The earlier of the caller's deadline and ours. */
function deadlineOf(callers: Date | number, oursMs: number): number {
  const callersMs = Number(callers);
  return Number.isFinite(callersMs) ? Math.min(callersMs, oursMs) : oursMs;
}
