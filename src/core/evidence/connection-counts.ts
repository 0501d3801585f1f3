/** What an agent gets of an Envoy: its counters each second, and an entry of the access log for each connection. */

import type { SeenConnections } from "./connection.ts";

export interface ChainCounts {
  /** Connections that have ended. */
  readonly ended: number;
  readonly open: number;
}

export interface PortCounts {
  /**
   * Of the listener, which counts on when its chains change: `downstream_cx_destroy` and `no_filter_chain_match`. Those who left before a
   * chain was looked for are in two more, and in either both or none of what is counted and what is told.
   */
  readonly ended: number;
  /** By name, those without a chain by `noChain`. One that is not there has counted nothing. */
  readonly chains: ReadonlyMap<string, ChainCounts>;
}

/** Whole: what is not in it has counted nothing. */
export interface CountsFlush {
  /** By Envoy's clock, which is the agent's. */
  readonly takenMs: number;
  /** `server.uptime` */
  readonly uptimeSeconds: number;
  /** `listener_manager.listener_removed`: counters of a listener go with it. */
  readonly removedListeners: number;
  /** Of all ports that it listens on, also where nothing was counted. */
  readonly ports: ReadonlyMap<number, PortCounts>;
}

/** An entry of the access log. */
export interface ToldConnection {
  /** Envoy's number of it, within its life; "" for none. */
  readonly id: string;
  /** Of its filter chain; `noChain` for none. */
  readonly chain: string;
  /** From its beginning until its end, or until now. */
  readonly seen: SeenConnections;
}

/** Of the entry of a connection that has ended. */
export interface ToldEnd {
  readonly chain: string;
  readonly endMs: number;
  /** When it came. */
  readonly toldMs: number;
}

/** Between a connection's end by its entry and by a counter. */
export const countSkewMs = 50;
