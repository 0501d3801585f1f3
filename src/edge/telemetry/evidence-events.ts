/** What happens to evidence of connections, one function for each event: metric and log line together. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { PortCoverage } from "../../core/evidence/connection.ts";
import { PortcullisError } from "../../core/error.ts";
import type { Reporter } from "../../core/roll/evidence.ts";
import type { Logger } from "./logger.ts";

/** Read at each scrape. */
export interface EvidenceGauges {
  readonly isWritable: () => boolean;
  /** How long the oldest report waits to be written. */
  readonly waitingSeconds: () => number;
}

/** Why something that was told does not count. */
export type UncountedReason = "unproven" | "no-room" | "clock-ahead" | "too-old";

export class EvidenceEvents {
  readonly #log: Logger;
  readonly #reports: Counter<"result">;
  readonly #rows: Counter;
  readonly #lost: Counter<"kind">;
  readonly #uncounted: Counter<"reason">;
  readonly #bounded: Counter<"bound">;

  constructor(log: Logger, registry: Registry, gauges: EvidenceGauges) {
    this.#log = log;
    const registers = [registry];
    this.#reports = new Counter({
      name: "portcullis_evidence_reports_total",
      help: "reports of connections: counted, or repeated because they were not acknowledged in time",
      labelNames: ["result"],
      registers,
    });
    this.#rows = new Counter({
      name: "portcullis_evidence_rows_total",
      help: "rows of counted reports: a caller of a port, or a span of time that is covered",
      registers,
    });
    this.#lost = new Counter({
      name: "portcullis_evidence_lost_connections_total",
      help: "connections that Envoys have counted and that nobody was told of",
      labelNames: ["kind"],
      registers,
    });
    this.#uncounted = new Counter({
      name: "portcullis_evidence_uncounted_total",
      help: "proxies or rows of reports that do not count",
      labelNames: ["reason"],
      registers,
    });
    this.#bounded = new Counter({
      name: "portcullis_evidence_bounded_total",
      help: "identities of which not all is kept, each once an hour: share of the file, lives of proxies",
      labelNames: ["bound"],
      registers,
    });
    gauge(registry, "writable", "1 while connections are recorded, else 0", () =>
      Number(gauges.isWritable()),
    );
    const lag = "how long the oldest report waits to be written";
    gauge(registry, "lag_seconds", lag, gauges.waitingSeconds);
  }

  counted(rows: number, coverage: Iterable<PortCoverage>): void {
    this.#reports.inc({ result: "counted" });
    this.#rows.inc(rows);
    for (const { lostMeshed, lostUnmeshed } of coverage) {
      if (lostMeshed > 0) this.#lost.inc({ kind: "meshed" }, lostMeshed);
      if (lostUnmeshed > 0) this.#lost.inc({ kind: "unmeshed" }, lostUnmeshed);
    }
  }

  repeated(): void {
    this.#reports.inc({ result: "repeated" });
  }

  /** @param isNews it has not been logged of this stream */
  uncounted(reporter: Reporter, reason: UncountedReason, rows: number, isNews: boolean): void {
    this.#uncounted.inc({ reason }, rows);
    if (!isNews) return;
    const fields = { event: "connections-uncounted", ...reporter, why: reason, rows };
    this.#log.warn(fields, "something that an agent tells of connections does not count");
  }

  notOpened(error: unknown): void {
    const fields = { event: "evidence-not-opened", ...problemOf(error) };
    this.#log.error(fields, "connections are not recorded until the next start");
  }

  setAside(path: string, reason: string): void {
    const fields = { event: "evidence-set-aside", path, reason };
    this.#log.error(fields, "evidence of connections begins anew: nothing before is covered");
  }

  notWritten(error: unknown): void {
    const fields = { event: "evidence-not-written", ...problemOf(error) };
    this.#log.error(fields, "connections are not recorded for now: trying again");
  }

  writtenAgain(): void {
    this.#log.info({ event: "evidence-written-again" }, "connections are recorded again");
  }

  ended(error: unknown): void {
    const fields = { event: "evidence-ended", ...problemOf(error) };
    this.#log.error(fields, "connections are not recorded any more");
  }

  /** A change that no file could take. */
  refused(kind: string, error: unknown): void {
    const fields = { event: "evidence-refused", kind, ...problemOf(error) };
    this.#log.error(fields, "something could not be recorded");
  }

  /** Of one identity not all is kept; said once an hour. @param bound its share of the file, or the lives of its proxies */
  bounded(identity: string, bound: "share" | "lives"): void {
    this.#bounded.inc({ bound });
    const fields = { event: "evidence-bounded", identity, bound };
    this.#log.warn(fields, "not all evidence of an identity is kept: its workloads are not SAFE");
  }

  /** There is no room to wait in. */
  notKept(reporter: Reporter, error: unknown): void {
    const fields = { event: "connections-not-kept", ...reporter, ...problemOf(error) };
    this.#log.warn(fields, "a report of connections is not acknowledged");
  }
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const all: Gauge = new Gauge({
    name: `portcullis_evidence_${name}`,
    help,
    registers: [registry],
    collect: () => all.set(read()),
  });
}

function problemOf(error: unknown): { code: string | undefined; detail: string; hint?: string } {
  if (!(error instanceof PortcullisError)) return { code: undefined, detail: String(error) };
  const { code, message: detail, hint } = error;
  return { code, detail, ...(hint !== undefined && { hint }) };
}
