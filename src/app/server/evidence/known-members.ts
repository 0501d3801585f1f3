/** The proxies that there are, found by key, by workload and by agent: so many of each identity, and no more. */

import { MultiMap } from "../../../core/policy/multi-map.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import { ProxyPlaces } from "../policy/proxy-places.ts";

export interface KnownMember {
  readonly proxy: string;
  readonly agent: string;
  readonly spiffeId: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly name: string;
  /** By its Envoy; undefined while nothing was told of it but by reports. */
  readonly claimed: Labels | undefined;
  /** As `labelsKey` writes them; "" while nobody has said them. */
  labels: string;
  /** Policy tells of it, and of its end. */
  readonly isTold: boolean;
  /** Its agent tells of others, and not of it, since then. */
  goneSinceMs: number | undefined;
}

export class KnownMembers {
  readonly #members = new Map<string, KnownMember>();
  /** By agent; those that policy does not tell of. */
  readonly #untold = new MultiMap<string, KnownMember>();
  /** By namespace and name. */
  readonly #named = new MultiMap<string, KnownMember>();
  readonly #places = new ProxyPlaces();

  get(proxy: string): KnownMember | undefined {
    return this.#members.get(proxy);
  }

  all(): Iterable<KnownMember> {
    return this.#members.values();
  }

  named(namespace: string, name: string): Iterable<KnownMember> {
    return this.#named.of(nameKey({ namespace, name }));
  }

  /** Of this agent those that policy does not tell of. */
  untoldOf(agent: string): Iterable<KnownMember> {
    return this.#untold.of(agent);
  }

  hasRoom(agent: string, spiffeId: string): boolean {
    return this.#places.hasRoom(agent, spiffeId);
  }

  add(known: KnownMember): void {
    const { proxy, agent, spiffeId, namespace, name } = known;
    this.#members.set(proxy, known);
    this.#named.add(nameKey({ namespace, name }), known);
    if (!known.isTold) this.#untold.add(agent, known);
    this.#places.take(agent, spiffeId, 1);
  }

  delete(known: KnownMember): void {
    const { proxy, agent, spiffeId, namespace, name } = known;
    this.#members.delete(proxy);
    this.#named.delete(nameKey({ namespace, name }), known);
    this.#untold.delete(agent, known);
    this.#places.take(agent, spiffeId, -1);
  }
}
