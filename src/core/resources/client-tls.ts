/** DestinationRule's `trafficPolicy.tls`: what a client sends. */

export type ClientTlsMode = "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";

export interface ClientTls {
  readonly mode: ClientTlsMode;
  /** Undefined: Istio's own name for the cluster under ISTIO_MUTUAL, else the host that was asked for. */
  readonly sni: string | undefined;
  /** In the place of what the service's endpoints would give; empty: those. */
  readonly subjectAltNames: readonly string[];
  /** Files of the proxy: SIMPLE and MUTUAL only. */
  readonly caCertificates: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly privateKey: string | undefined;
  readonly insecureSkipVerify: boolean;
}
