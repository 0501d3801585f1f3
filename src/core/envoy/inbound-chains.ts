/**
 * Which filter chains an inbound port has, by what it takes. A change of mode changes chains only, and the ones for mTLS are the
 * same in permissive and strict: whatever else of a listener changed would drain the connections that are to survive.
 *
 * Istio's chains, but for one: the TLS inspector is always there, so TLS that nobody here ends needs a chain of its own also where
 * mTLS is disabled.
 */

import type { InboundProtocol } from "../policy/proxy-policy.ts";
import type { ServerMode } from "../policy/server-mode.ts";

export type ChainName =
  | "mtls-http"
  | "mtls-tcp"
  /** TLS of whoever offers no ALPN of the mesh: in strict, with the same demand for a certificate. */
  | "mtls-any"
  | "plaintext-http"
  | "plaintext-tcp"
  /** TLS of the application itself. */
  | "passthrough";

export interface InboundChain {
  readonly name: ChainName;
  readonly transport: "tls" | "raw_buffer";
  /** What the client offers; empty: anything. */
  readonly alpn: readonly string[];
  /** A certificate of the mesh is demanded, and TLS ends here. */
  readonly endsTls: boolean;
  readonly filter: "http" | "tcp";
}

const tcpAlpn = ["istio", "istio-peer-exchange"] as const;
const httpAlpn = ["istio-http/1.0", "istio-http/1.1", "istio-h2"] as const;
/** All that a client of the mesh may offer. */
const meshAlpn = [...tcpAlpn, ...httpAlpn] as const;
/** As Envoy's HTTP inspector names them. */
const plaintextHttp = ["http/1.1", "h2c"] as const;

type Filter = InboundChain["filter"];

export function inboundChains(
  mode: ServerMode,
  protocol: InboundProtocol,
): readonly InboundChain[] {
  return [
    ...(mode === "disable" ? [] : mtlsChains(protocol)),
    ...(mode === "strict"
      ? [mtls("mtls-any", [], protocol === "http" ? "http" : "tcp")]
      : plaintextChains(protocol)),
  ];
}

function mtlsChains(protocol: InboundProtocol): readonly InboundChain[] {
  if (protocol === "http") return [mtls("mtls-http", meshAlpn, "http")];
  if (protocol === "tcp") return [mtls("mtls-tcp", meshAlpn, "tcp")];
  return [mtls("mtls-http", httpAlpn, "http"), mtls("mtls-tcp", tcpAlpn, "tcp")];
}

function plaintextChains(protocol: InboundProtocol): readonly InboundChain[] {
  const http = (alpn: readonly string[]) => plaintext("plaintext-http", "raw_buffer", alpn, "http");
  // TLS cannot be HTTP before somebody has ended it.
  if (protocol === "http") return [http([])];
  return [
    ...(protocol === "auto" ? [http(plaintextHttp)] : []),
    plaintext("plaintext-tcp", "raw_buffer", [], "tcp"),
    plaintext("passthrough", "tls", [], "tcp"),
  ];
}

function mtls(name: ChainName, alpn: readonly string[], filter: Filter): InboundChain {
  return { name, transport: "tls", alpn, endsTls: true, filter };
}

function plaintext(
  name: ChainName,
  transport: InboundChain["transport"],
  alpn: readonly string[],
  filter: Filter,
): InboundChain {
  return { name, transport, alpn, endsTls: false, filter };
}
