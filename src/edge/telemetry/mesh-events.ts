/** What happens on agents' streams, one function for each event: metric and log line together. */

import type { LogAlarm } from "../../core/log/witness.ts";
import type { Reporter } from "../../core/roll/evidence.ts";
import type { NewNack } from "../../core/roll/roll-entry.ts";
import type { ConnectionRefusal } from "../rpc/tls-listener.ts";
import type { Logger } from "./logger.ts";
import type { ServerMetrics } from "./server-metrics.ts";

export class MeshEvents {
  readonly #log: Logger;
  readonly #metrics: ServerMetrics;

  constructor(log: Logger, metrics: ServerMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  agentConnected(reporter: Reporter, peer: string): void {
    this.#log.info({ event: "agent-connected", ...reporter, peer }, "agent connected");
  }

  agentDisconnected(reporter: Reporter): void {
    this.#log.info({ event: "agent-disconnected", ...reporter }, "agent disconnected");
  }

  streamRefused(peer: string, reason: string, error: unknown): void {
    this.#log.warn(
      { event: "mesh-stream-ended", peer, reason, ...problemOf(error) },
      "mesh stream ended by the server",
    );
  }

  /** A node agent reported for whom it does not speak, or more than it may. */
  evidenceDropped(
    reporter: Reporter,
    claimed: string | undefined,
    proxies: number,
    reason: string,
  ): void {
    this.#log.warn(
      { event: "evidence-dropped", ...reporter, claimed, proxies, reason },
      "evidence dropped",
    );
  }

  workloadTokenRefused(reporter: Reporter, error: unknown): void {
    this.#log.warn(
      { event: "workload-token-refused", ...reporter, ...problemOf(error) },
      "a node agent showed a token that does not count",
    );
  }

  secretRefused(reporter: Reporter, { proxyId, spiffeId, resourceName, nack }: NewNack): void {
    this.#metrics.nacks.inc();
    const isOwn = spiffeId === reporter.spiffeId;
    this.#log.warn(
      {
        event: "secret-refused",
        ...reporter,
        ...(!isOwn && { spiffeId, reportedBy: reporter.spiffeId }),
        proxyId,
        resourceName,
        version: nack.version,
        detail: nack.detail,
      },
      "a proxy refused a secret",
    );
  }

  /** @param isOwn the server has seen it by itself; else it is the agent's word */
  logAlarm(reporter: Reporter, { kind, message }: LogAlarm, isOwn: boolean): void {
    const by = isOwn ? "server" : "agent";
    this.#metrics.logAlarms.inc({ kind, by });
    this.#log.error(
      { event: "log-alarm", kind, by, ...reporter, detail: message },
      "the transparency log is not the one that an agent knows",
    );
  }

  logAlarmNotWritten(error: unknown): void {
    const fields = { event: "log-alarm-not-written", ...problemOf(error) };
    this.#log.error(fields, "an alarm of the log could not be written to the log");
  }

  goodbyeNotWritten(agent: Reporter, error: unknown): void {
    const fields = { event: "goodbye-not-written", ...agent, ...problemOf(error) };
    this.#log.error(fields, "an agent's goodbye could not be written to the log: it is waited for");
  }

  skewNotWritten(error: unknown): void {
    const fields = { event: "skew-not-written", ...problemOf(error) };
    this.#log.error(fields, "the difference to an agent's clock is forgotten by a restart");
  }

  leavesNotRead(error: unknown): void {
    const fields = { event: "leaves-not-read", ...problemOf(error) };
    this.#log.error(fields, "the log does not say who has certificates: trying again");
  }

  logNotShown(error: unknown): void {
    const fields = { event: "log-not-shown", ...problemOf(error) };
    this.#log.error(fields, "the log could not be shown to an agent");
  }

  connectionRefused(reason: ConnectionRefusal): void {
    this.#metrics.tlsRefused.inc({ reason });
  }
}

function problemOf(error: unknown): { code: string | undefined; detail: string | undefined } {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return { code, detail: message };
}
