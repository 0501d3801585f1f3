/** What an Envoy counted about TLS on the one road that the demo sends traffic over. */

export interface TlsCounters {
  readonly handshakes: number;
  /** Sessions resumed instead of made anew. */
  readonly resumed: number;
  /** By Envoy's name of the counter, without its prefix. */
  readonly failures: Readonly<Record<TlsFailure, number>>;
}

export type TlsFailure =
  | "connection_error"
  | "fail_verify_no_cert"
  | "fail_verify_error"
  | "fail_verify_san"
  | "fail_verify_cert_hash";

/** @param scope of the counters: `listener.inbound_8443.ssl` */
export function tlsCounters(stats: ReadonlyMap<string, number>, scope: string): TlsCounters {
  // Envoy leaves out what was never touched.
  const counter = (name: string): number => stats.get(`${scope}.${name}`) ?? 0;
  return {
    handshakes: counter("handshake"),
    resumed: counter("session_reused"),
    failures: {
      connection_error: counter("connection_error"),
      fail_verify_no_cert: counter("fail_verify_no_cert"),
      fail_verify_error: counter("fail_verify_error"),
      fail_verify_san: counter("fail_verify_san"),
      fail_verify_cert_hash: counter("fail_verify_cert_hash"),
    },
  };
}

export function sumFailures({ failures }: TlsCounters): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}
