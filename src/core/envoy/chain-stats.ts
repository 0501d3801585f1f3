/**
 * Names that listeners, their chains and their counters have, so that whoever reads Envoy's statistics can tell the connections of a
 * chain, also of one that is gone from the configuration and still drains.
 */

import type { InboundChain } from "./inbound-chains.ts";

export function inboundName(port: number): string {
  return `inbound_${port}`;
}

/** Of a chain's filters. */
export function chainStatPrefix(port: number, chain: string): string {
  return `${inboundName(port)}.${chain}`;
}

/**
 * The gauge of a chain's open connections; where Envoy does not have it there are none. Envoy's TCP proxy has no such gauge, so the
 * connections of its chains go through a limit that never refuses, and counts.
 */
export function openConnectionsStat(
  port: number,
  { name, filter }: Pick<InboundChain, "name" | "filter">,
): string {
  const prefix = chainStatPrefix(port, name);
  return filter === "http"
    ? `http.${prefix}.downstream_cx_active`
    : `connection_limit.${prefix}.active_connections`;
}
