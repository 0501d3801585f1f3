/**
 * Between the ADS streams and the feed: what each Envoy has acknowledged meets what it tells of its open connections. Envoys that tell
 * nothing of them are unobserved, and nothing is said of their connections.
 */

import { policyKey } from "../../../core/policy/policy-report.ts";
import type { Flush } from "./draining.ts";
import { DrainingProxy, type FlushSource } from "./draining-proxy.ts";
import type { OpenPolicy, PolicyFeed, PolicyProxyName, PolicyUser } from "./policy-feed.ts";

export interface FlushStream {
  /** Its newest one. */
  readonly flush: (flush: Flush) => void;
  readonly close: () => void;
}

export class DrainingFeed implements PolicyFeed {
  readonly #feed: PolicyFeed;
  readonly #nowMs: () => number;
  /** By `policyKey`. */
  readonly #proxies = new Map<string, DrainingProxy>();

  constructor(feed: PolicyFeed, nowMs: () => number) {
    this.#feed = feed;
    this.#nowMs = nowMs;
  }

  open(user: PolicyUser): OpenPolicy {
    if (!user.hasListeners) return this.#feed.open(user);
    const { key, proxy } = this.#proxyOf(user.proxy);
    const opened = proxy.open(this.#feed, user);
    return { ...opened, close: () => this.#closed(key, proxy, opened.close) };
  }

  /** Envoy's stream of statistics; of a proxy that nobody knows it is kept for when it is known. */
  observe(name: PolicyProxyName): FlushStream {
    const { key, proxy } = this.#proxyOf(name);
    const source: FlushSource = { flushes: undefined };
    proxy.addSource(source);
    return {
      flush: (flush) => proxy.take(source, flush),
      close: () => this.#closed(key, proxy, () => proxy.removeSource(source)),
    };
  }

  #proxyOf(name: PolicyProxyName): { readonly key: string; readonly proxy: DrainingProxy } {
    const key = policyKey(name);
    const proxy = this.#proxies.get(key) ?? new DrainingProxy(this.#nowMs);
    this.#proxies.set(key, proxy);
    return { key, proxy };
  }

  #closed(key: string, proxy: DrainingProxy, close: () => void): void {
    close();
    if (proxy.isOver && this.#proxies.get(key) === proxy) this.#proxies.delete(key);
  }
}
