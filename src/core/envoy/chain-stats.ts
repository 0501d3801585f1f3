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

/** What Envoy counts of the connections to an inbound port. */
export interface PortStat {
  readonly port: number;
  /** "" for those that found none; undefined for all that found one. */
  readonly chain: string | undefined;
  readonly stat: "begun" | "ended" | "open";
}

const statsOfChains: Readonly<Record<string, PortStat["stat"]>> = {
  "tcp downstream_cx_total": "begun",
  "http downstream_cx_destroy": "ended",
  "http downstream_cx_active": "open",
  "connection_limit active_connections": "open",
};

/** Who was gone before a chain was looked for is in neither. */
const statsOfListeners: ReadonlyMap<string, PortStat["chain"]> = new Map([
  ["downstream_cx_destroy", undefined],
  ["no_filter_chain_match", ""],
]);

/** @returns undefined for what says nothing of it; a worker's own counters have a name more */
export function parsePortStat(name: string): PortStat | undefined {
  const [kind = "", listener = "", first = "", second, ...more] = name.split(".");
  const [, digits] = /^inbound_(\d{1,5})$/.exec(listener) ?? [];
  if (digits === undefined || more.length > 0) return undefined;
  const port = Number(digits);
  if (second === undefined) {
    const isOfAll = kind === "listener" && statsOfListeners.has(first);
    return isOfAll ? { port, chain: statsOfListeners.get(first), stat: "ended" } : undefined;
  }
  const stat = statsOfChains[`${kind} ${second}`];
  return stat && { port, chain: first, stat };
}
