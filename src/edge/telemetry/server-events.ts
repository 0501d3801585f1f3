/**
 * What happens at the server, one function for each event: it writes the metric and the log line together, and never
 * throws. Who, what and why of each issuance and refusal stand here until the transparency log holds them.
 */

import type { Caller } from "../../core/identity/caller.ts";
import type { Certificate } from "../../core/x509/certificate.ts";
import type { CaRefusal } from "../rpc/ca-status.ts";
import type { Logger } from "./logger.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface CallContext {
  readonly requestId: string;
  readonly peer: string;
  readonly startedMs: number;
}

export class ServerEvents {
  readonly #log: Logger;
  readonly #metrics: ServerMetrics;
  #issued = 0n;
  #refused = 0n;

  constructor(log: Logger, metrics: ServerMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Since this process started. */
  get totals(): { readonly issued: bigint; readonly refused: bigint } {
    return { issued: this.#issued, refused: this.#refused };
  }

  csrReceived(): void {
    this.#metrics.csrs.inc();
  }

  certificateIssued(
    call: CallContext,
    caller: Caller,
    certificate: Certificate,
    nowMs: number,
  ): void {
    this.#issued++;
    this.#metrics.issued.inc();
    this.#metrics.issuanceSeconds.observe((nowMs - call.startedMs) / 1_000);
    this.#log.info(
      {
        event: "certificate-issued",
        requestId: call.requestId,
        peer: call.peer,
        spiffeId: caller.id.toString(),
        serial: certificate.serialHex,
        notAfter: new Date(certificate.notAfterMs).toISOString(),
        evidence: caller.evidence,
      },
      "certificate issued",
    );
  }

  requestRefused(
    call: CallContext,
    caller: Caller | undefined,
    refusal: CaRefusal,
    error: unknown,
  ): void {
    this.#refused++;
    this.#countRefusal(refusal);
    const { code, message } = error as { code?: string; message?: string };
    this.#log.warn(
      {
        event: "request-refused",
        requestId: call.requestId,
        peer: call.peer,
        spiffeId: caller?.id.toString(),
        evidence: caller?.evidence,
        reason: code ?? "internal",
        detail: message,
        ...(code === undefined ? { error } : {}),
      },
      "request refused",
    );
  }

  #countRefusal({ metric }: CaRefusal): void {
    switch (metric) {
      case "AUTHENTICATION":
        this.#metrics.authenticationFailures.inc();
        break;
      case "OVERLOADED":
      case "DEADLINE":
      case "UNAVAILABLE":
        this.#metrics.rejected.inc({ reason: metric.toLowerCase() });
        break;
      case "CSR_ERROR":
      case "TTL_ERROR":
      case "CERT_GEN_ERROR":
        this.#metrics.signErrors.inc({ error: metric });
        break;
    }
  }
}
