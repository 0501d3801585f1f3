/**
 * What happens at the server, one function for each event: it writes the metric and the log line together, and never
 * throws. Who, what and why of each issuance stand in the transparency log; refusals are counted for it here.
 */

import { AuthnError } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import type { IssuedCertificate } from "../../core/issuance/workload.ts";
import type { CaRefusal } from "../rpc/ca-status.ts";
import type { Logger } from "./logger.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export interface CallContext {
  readonly requestId: string;
  readonly peer: string;
  readonly startedMs: number;
}

/** @param caller "" for one that proved no identity */
type CountRefusal = (caller: string, reason: string, address: string) => void;

/** @param caller undefined for one that proved no identity */
type TellRefusal = (caller: Caller | undefined, error: unknown) => void;

export class ServerEvents {
  readonly #log: Logger;
  readonly #metrics: ServerMetrics;
  readonly #count: CountRefusal;
  #tell: TellRefusal = () => {};
  #issued = 0n;
  #refused = 0n;

  constructor(log: Logger, metrics: ServerMetrics, count: CountRefusal) {
    this.#log = log;
    this.#metrics = metrics;
    this.#count = count;
  }

  /** Of those that come from now on. @param tell must not throw */
  tellRefusals(tell: TellRefusal): void {
    this.#tell = tell;
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
    certificate: IssuedCertificate,
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
    const fields = refusalFields(call, caller, error);
    this.#count(fields.spiffeId ?? "", fields.reason, call.peer);
    this.#log.warn({ event: "request-refused", ...fields }, "request refused");
    this.#tell(caller, error);
  }

  /** A fault of ours: what would have been signed fails a lint. */
  certificateUnfit(spiffeId: string, error: unknown): void {
    this.#metrics.lintFailures.inc();
    const { code, message } = error as { code?: string; message?: string };
    this.#log.error(
      { event: "certificate-unfit", spiffeId, reason: code, detail: message },
      "what was to be signed fails a lint: not signed, and kept in the log",
    );
  }

  /** The token itself is never logged: its `jti` names it. */
  jwtSvidIssued(
    call: CallContext,
    caller: Caller,
    issued: { readonly tokenId: string; readonly audiences: number; readonly expiresAtMs: number },
  ): void {
    this.#metrics.jwtSvidsIssued.inc();
    this.#log.info(
      {
        event: "jwt-svid-issued",
        requestId: call.requestId,
        peer: call.peer,
        spiffeId: caller.id.toString(),
        jti: issued.tokenId,
        audiences: issued.audiences,
        expiresAt: new Date(issued.expiresAtMs).toISOString(),
        evidence: caller.evidence,
      },
      "JWT-SVID issued",
    );
  }

  jwtSvidRefused(
    call: CallContext,
    caller: Caller | undefined,
    { metric }: CaRefusal,
    error: unknown,
  ): void {
    this.#refused++;
    this.#metrics.jwtSvidsRefused.inc({ reason: metric.toLowerCase() });
    const fields = refusalFields(call, caller, error);
    this.#count(fields.spiffeId ?? "", fields.reason, call.peer);
    this.#log.warn({ event: "jwt-svid-refused", ...fields }, "JWT-SVID refused");
    this.#tell(caller, error);
  }

  /** A whole batch, before any of its entries was looked at. */
  batchRefused(peer: string, reason: string, error: unknown): void {
    this.#metrics.rejected.inc({ reason: "batch" });
    this.#log.warn({ event: "batch-refused", peer, reason, error }, "batch refused");
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
      case "ARGUMENT_ERROR":
      case "CERT_GEN_ERROR":
        this.#metrics.signErrors.inc({ error: metric });
        break;
    }
  }
}

function refusalFields(call: CallContext, caller: Caller | undefined, error: unknown) {
  const { code, message } = error as { code?: string; message?: string };
  const claimed = error instanceof AuthnError ? error.claimed : undefined;
  return {
    requestId: call.requestId,
    peer: call.peer,
    spiffeId: caller?.id.toString(),
    evidence: (caller ?? claimed)?.evidence,
    // Whose token it was, although it counts no more.
    ...(caller === undefined && claimed !== undefined && { claimed: claimed.id.toString() }),
    reason: code ?? "internal",
    detail: message,
    ...(code === undefined ? { error } : {}),
  };
}
