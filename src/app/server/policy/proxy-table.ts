/** All proxies that are known, by key, by agent, and those of whom no stream tells: there is room for so many of each. */

import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import { OctetPlaces } from "./octet-places.ts";
import { octetsToldOf } from "./policy-claims.ts";
import type { PolicyProxy } from "./policy-proxy.ts";
import { ProxyPlaces } from "./proxy-places.ts";

export class ProxyTable {
  readonly #proxies = new Map<string, PolicyProxy>();
  readonly #places = new ProxyPlaces();
  readonly #octets = new OctetPlaces();
  /** Keys, by agent. */
  readonly #ofAgent = new Map<string, Set<string>>();
  /** Keys. */
  readonly #away = new Set<string>();

  all(): IterableIterator<PolicyProxy> {
    return this.#proxies.values();
  }

  get(key: string): PolicyProxy | undefined {
    return this.#proxies.get(key);
  }

  /** Of whom no stream tells now. */
  away(): PolicyProxy[] {
    return this.#found(this.#away);
  }

  ofAgent(reporter: Reporter): PolicyProxy[] {
    return this.#found(this.#ofAgent.get(agentOf(reporter)) ?? []);
  }

  /** Also for one that is known. */
  hasRoom(key: string, reporter: Reporter, spiffeId: string): boolean {
    return this.#proxies.has(key) || this.#places.hasRoom(agentOf(reporter), spiffeId);
  }

  /** For so many octets of policies that are not known here. */
  octetsLeft(key: string, reporter: Reporter, spiffeId: string): number {
    return this.#octets.left({ key, agent: agentOf(reporter), spiffeId });
  }

  /** In the place of the one of its key: a stream tells of it. */
  set(proxy: PolicyProxy): void {
    const { identity, reporter, spiffeId } = proxy;
    const { key } = identity;
    const isNew = !this.#proxies.has(key);
    this.#proxies.set(key, proxy);
    this.#away.delete(key);
    this.count(proxy);
    if (!isNew) return;
    const agent = agentOf(reporter);
    this.#places.take(agent, spiffeId, 1);
    const keys = this.#ofAgent.get(agent) ?? new Set();
    this.#ofAgent.set(agent, keys.add(key));
  }

  /** What is known of it has changed. */
  count(proxy: PolicyProxy): void {
    const { identity, reporter, spiffeId } = proxy;
    const place = { key: identity.key, agent: agentOf(reporter), spiffeId };
    this.#octets.set(place, octetsToldOf(proxy));
  }

  left({ identity }: PolicyProxy): void {
    this.#away.add(identity.key);
  }

  delete({ identity: { key }, reporter, spiffeId }: PolicyProxy): void {
    if (!this.#proxies.delete(key)) return;
    const agent = agentOf(reporter);
    this.#away.delete(key);
    this.#places.take(agent, spiffeId, -1);
    this.#octets.set({ key, agent, spiffeId }, 0);
    const keys = this.#ofAgent.get(agent);
    keys?.delete(key);
    if (keys?.size === 0) this.#ofAgent.delete(agent);
  }

  #found(keys: Iterable<string>): PolicyProxy[] {
    return Array.from(keys, (key) => this.#proxies.get(key)).filter((each) => each !== undefined);
  }
}

function agentOf({ spiffeId, agentId }: Reporter): string {
  return agentKey(spiffeId, agentId);
}
