/** Counters of a simulated Envoy's inbound listeners, under the names that Envoy has for them. */

import { chainStatPrefix, inboundName } from "../../src/core/envoy/chain-stats.ts";
import type { InboundChain } from "../../src/core/envoy/inbound-chains.ts";

export class EnvoyCounters {
  /** One that was never touched is not there. */
  #stats = new Map<string, number>();

  /** No chain was for it. */
  refused(port: number): void {
    this.#count(`listener.${inboundName(port)}.no_filter_chain_match`);
  }

  begun(port: number, chain: InboundChain): void {
    this.#open(port, chain, 1);
  }

  ended(port: number, chain: InboundChain): void {
    this.#open(port, chain, -1);
    this.#count(`listener.${inboundName(port)}.downstream_cx_destroy`);
  }

  /** The chain's go with its last connection. */
  drained(port: number, chain: string): void {
    const prefix = `.${chainStatPrefix(port, chain)}.`;
    for (const name of this.#stats.keys()) if (name.includes(prefix)) this.#stats.delete(name);
  }

  restart(): void {
    this.#stats = new Map();
  }

  all(uptimeSeconds: number): Map<string, number> {
    return new Map([
      ...this.#stats,
      ["server.uptime", uptimeSeconds],
      ["listener_manager.listener_removed", 0],
      ["listener_manager.total_listeners_warming", 0],
    ]);
  }

  /** As Envoy's filters count: TCP those that begin and those that are open, HTTP those that end, too. */
  #open(port: number, { name, filter }: InboundChain, change: 1 | -1): void {
    const prefix = chainStatPrefix(port, name);
    if (filter === "http") {
      this.#count(`http.${prefix}.downstream_cx_active`, change);
      if (change < 0) this.#count(`http.${prefix}.downstream_cx_destroy`);
      return;
    }
    this.#count(`connection_limit.${prefix}.active_connections`, change);
    if (change > 0) this.#count(`tcp.${prefix}.downstream_cx_total`);
  }

  #count(name: string, change = 1): void {
    this.#stats.set(name, (this.#stats.get(name) ?? 0) + change);
  }
}
