/** Which filter chain takes a call: the first that fits, by transport and by what the client offers. */

import type { InboundChain } from "../../src/core/envoy/inbound-chains.ts";
import type { Call } from "./call.ts";

export function chainFor(
  chains: readonly InboundChain[],
  { kind, isHttp }: Call,
): InboundChain | undefined {
  const transport = kind === "plaintext" ? "raw_buffer" : "tls";
  const fitting = chains.filter((each) => each.transport === transport);
  const ofMesh = (each: InboundChain): boolean =>
    each.alpn.some((offered) => offered === (isHttp ? "istio-http/1.1" : "istio"));
  const named =
    kind === "mtls"
      ? fitting.find((each) => each.endsTls && ofMesh(each))
      : fitting.find((each) => isHttp && kind === "plaintext" && each.alpn.includes("http/1.1"));
  return named ?? fitting.find(({ alpn }) => alpn.length === 0);
}
