/**
 * The server's metrics. Names are Istio's where Istio has one (`istio.md` 8), so that dashboards and alerts carry over.
 * Label sets are closed: no identity and no text of a caller is ever a label. Expiry is computed when it is read.
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Read at each scrape. Times are Unix milliseconds. */
export interface ServerGauges {
  readonly rootNotAfterMs: () => number;
  readonly chainNotAfterMs: () => number;
  readonly servingNotAfterMs: () => number;
  /** Undefined where the endpoint is off. */
  readonly bundleEndpointNotAfterMs?: () => number | undefined;
  /** Whether the CA's key can be used, as far as it is known. */
  readonly signerAvailable: () => boolean;
  /** Entries of the transparency log. */
  readonly logSize: () => number;
  /** Whether the last entries could be written. */
  readonly logWritable: () => boolean;
  /** Whether the wall clock has not jumped. */
  readonly clockGood: () => boolean;
  readonly queueDepth: () => number;
  readonly agentsConnected: () => number;
  readonly proxies: () => { readonly connected: number; readonly absent: number };
  readonly bundleSequence: () => number;
  readonly nowMs: () => number;
}

export class ServerMetrics {
  readonly registry: Registry = new Registry();
  readonly csrs: Counter = this.#counter("citadel_server_csr_count", "CSRs received");
  readonly authenticationFailures: Counter = this.#counter(
    "citadel_server_authentication_failure_count",
    "requests whose caller could not be authenticated",
  );
  readonly signErrors: Counter<"error"> = new Counter({
    name: "citadel_server_csr_sign_err_count",
    help: "CSRs that were not signed, by kind of error",
    labelNames: ["error"],
    registers: [this.registry],
  });
  readonly issued: Counter = this.#counter(
    "citadel_server_success_cert_issuance_count",
    "certificates issued",
  );
  readonly lintFailures: Counter = this.#counter(
    "portcullis_lint_failures_total",
    "certificates that were not signed because what was to be signed fails a lint: a fault of the CA",
  );
  readonly rejected: Counter<"reason"> = new Counter({
    name: "portcullis_requests_rejected_total",
    help: "requests turned away before any work: overload, deadline, unavailability",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly tlsRefused: Counter<"reason"> = new Counter({
    name: "portcullis_tls_refused_total",
    help: "connections closed before gRPC saw them",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly nacks: Counter = this.#counter(
    "portcullis_sds_nacks_total",
    "secrets that a proxy newly refused, as agents report it",
  );
  readonly logAlarms: Counter<"kind" | "by"> = new Counter({
    name: "portcullis_log_alarms_total",
    help: "alarms of the transparency log: forks, rollbacks, leaves that are missing",
    labelNames: ["kind", "by"],
    registers: [this.registry],
  });
  readonly jwtSvidsIssued: Counter = this.#counter(
    "portcullis_jwt_svids_issued_total",
    "JWT-SVIDs issued",
  );
  readonly jwtSvidsRefused: Counter<"reason"> = new Counter({
    name: "portcullis_jwt_svids_refused_total",
    help: "requests for a JWT-SVID that got none",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly issuanceSeconds: Histogram = new Histogram({
    name: "portcullis_issuance_duration_seconds",
    help: "from a request's arrival to its answer, for certificates issued",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });

  constructor(gauges: ServerGauges) {
    const expiries: [string, string, () => number | undefined][] = [
      ["citadel_server_root_cert_expiry", "the root certificate", gauges.rootNotAfterMs],
      ["citadel_server_cert_chain_expiry", "the signing certificate", gauges.chainNotAfterMs],
      ["portcullis_serving_cert_expiry", "the server's own certificate", gauges.servingNotAfterMs],
      [
        "portcullis_bundle_endpoint_cert_expiry",
        "the bundle endpoint's certificate",
        () => gauges.bundleEndpointNotAfterMs?.(),
      ],
    ];
    for (const [name, what, notAfterMs] of expiries) {
      const secondsAfter = (startMs: number): number | undefined => {
        const endMs = notAfterMs();
        return endMs === undefined ? undefined : Math.floor((endMs - startMs) / 1_000);
      };
      this.#gauge(`${name}_timestamp`, `when ${what} expires, Unix seconds`, () => secondsAfter(0));
      this.#gauge(`${name}_seconds`, `seconds until ${what} expires; negative when it has`, () =>
        secondsAfter(gauges.nowMs()),
      );
    }
    this.#gauge("portcullis_signer_available", "1 while the CA's key can be used, else 0", () =>
      Number(gauges.signerAvailable()),
    );
    this.#gauge("portcullis_log_entries", "size of the transparency log", gauges.logSize);
    this.#gauge("portcullis_log_writable", "1 unless the log could not be written, else 0", () =>
      Number(gauges.logWritable()),
    );
    this.#gauge("portcullis_clock_good", "1 unless the wall clock has jumped, else 0", () =>
      Number(gauges.clockGood()),
    );
    this.#gauge("portcullis_issuance_queue_depth", "requests that wait", gauges.queueDepth);
    this.#gauge("portcullis_agents_connected", "open mesh streams", gauges.agentsConnected);
    this.#gauge(
      "portcullis_bundle_sequence",
      "sequence of the trust bundle",
      gauges.bundleSequence,
    );
    this.#proxies(gauges);
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  /** Without a value there is no sample: 0 would be a date, and an alert. */
  #gauge(name: string, help: string, read: () => number | undefined): void {
    const gauge = new Gauge({ name, help, registers: [this.registry], collect: () => set() });
    const set = (): void => {
      const value = read();
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    };
  }

  #proxies(gauges: ServerGauges): void {
    const gauge = new Gauge({
      name: "portcullis_proxies",
      help: "proxies that agents reported",
      labelNames: ["state"],
      registers: [this.registry],
      collect: () => {
        const { connected, absent } = gauges.proxies();
        gauge.set({ state: "connected" }, connected);
        gauge.set({ state: "absent" }, absent);
      },
    });
  }
}
