/** What happens at an agent, one function and one log line for each event. */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import type { XdsFact } from "../../core/xds/subscription.ts";
import type { Logger } from "./logger.ts";

export class AgentEvents {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  started(sdsSocket: string, warm: WorkloadCertificate | undefined): void {
    this.#log.info({ event: "agent-started", sdsSocket, ...shown(warm) }, "agent started");
  }

  stateUnreadable(error: unknown): void {
    this.#log.error({ event: "state-unreadable", ...problem(error) }, "stored state ignored");
  }

  stateNotWritten(error: unknown): void {
    this.#log.error(
      { event: "state-not-written", ...problem(error) },
      "state not written: a restart would begin without this certificate",
    );
  }

  certificateReceived(certificate: WorkloadCertificate, tookMs: number): void {
    this.#log.info(
      { event: "certificate-received", ...shown(certificate), tookMs },
      "certificate received",
    );
  }

  renewalFailed(error: unknown, attempt: number, heldNotAfterMs: number | undefined): void {
    const heldUntil = heldNotAfterMs && new Date(heldNotAfterMs).toISOString();
    const fields = { event: "renewal-failed", attempt, heldUntil, ...problem(error) };
    this.#log.warn(fields, "no new certificate: trying again");
  }

  certificateExpired(certificate: WorkloadCertificate): void {
    this.#log.error(
      { event: "certificate-expired", ...shown(certificate) },
      "certificate expired and withdrawn",
    );
  }

  bundleRollback(held: bigint, came: bigint): void {
    const fields = { event: "bundle-rollback", held: Number(held), came: Number(came) };
    this.#log.error(fields, "the server offers an older trust bundle: kept the newer one");
  }

  bundleNotKept(error: unknown): void {
    this.#log.error({ event: "bundle-not-kept", ...problem(error) }, "trust bundle not stored");
  }

  secretAnswered(proxyId: string, fact: XdsFact, serial: string | undefined): void {
    const fields = { event: `secret-${fact.kind}`, proxyId, ...fact, kind: undefined, serial };
    if (fact.kind === "acked") this.#log.info(fields, "secret accepted");
    else this.#log.warn(fields, factMessages[fact.kind]);
  }

  meshConnected(server: string): void {
    this.#log.info({ event: "mesh-connected", server }, "mesh stream open");
  }

  meshLost(error: unknown): void {
    this.#log.warn({ event: "mesh-lost", ...problem(error) }, "mesh stream lost: trying again");
  }
}

const factMessages = {
  nacked: "secret refused by the proxy",
  "unknown-name": "a name that does not exist was asked for",
  "unknown-nonce": "an answer to nothing that was sent",
} as const;

function shown(certificate: WorkloadCertificate | undefined): Record<string, string> {
  if (certificate === undefined) return {};
  return {
    spiffeId: certificate.id.toString(),
    serial: certificate.serialHex,
    notAfter: new Date(certificate.notAfterMs).toISOString(),
  };
}

function problem(error: unknown): Record<string, unknown> {
  const { code, message, hint } = (error ?? {}) as Record<string, unknown>;
  return { reason: code, detail: message, hint };
}
