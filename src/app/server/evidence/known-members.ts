/** The proxies that there are, found by key, by workload and by agent: so many of each identity, and no more. */

import { MultiMap } from "../../../core/policy/multi-map.ts";
import { labelsKey } from "../../../core/policy/labels.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import type { ReportedProxy } from "../../../edge/evidence/evidence-change.ts";
import type { OpenMember } from "../../../edge/evidence/evidence-protocol.ts";
import { identityOf } from "../policy/policy-proxy.ts";
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
  /** Until then its agent, which says nothing else of it, has told what it saw, and that is durable. */
  toldUntilMs?: number;
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

  /**
   * Their reports are durable. An agent that tells what an Envoy saw, and nothing else of it, has seen its end: it is over where its
   * evidence ends, however late that is told. What was told before is another matter: its agent may have been away, and it may have gone
   * on unseen.
   */
  kept(proxies: readonly ReportedProxy[]): void {
    for (const { proxy, seen, coverage } of proxies) {
      const known = this.#members.get(proxy);
      if (known?.goneSinceMs === undefined || coverage.length === 0) continue;
      let untilMs = known.toldUntilMs ?? 0;
      for (const each of coverage) untilMs = Math.max(untilMs, each.untilMs);
      for (const each of seen) untilMs = Math.max(untilMs, each.lastMs);
      known.toldUntilMs = untilMs;
    }
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

/** As the last life of the server has left it. */
export function memberLeft(left: OpenMember): KnownMember {
  const { proxy, reporter, spiffeId, name, labels } = left;
  const nodeId = name.slice(name.indexOf("/") + 1);
  // Of none it is not known whether nobody has said them.
  const said = labels.size === 0 ? "" : labelsKey(labels);
  return { ...untoldMember(proxy, reporter, spiffeId, nodeId), labels: said };
}

/** Policy has not told of it. */
export function untoldMember(
  proxy: string,
  agent: string,
  spiffeId: string,
  name: string,
): KnownMember {
  const of = identityOf(proxy, spiffeId, { proxyId: name, labels: new Map() });
  const { namespace, serviceAccount } = of;
  const named = { proxy, agent, spiffeId, namespace, serviceAccount, name };
  return { ...named, claimed: undefined, labels: "", isTold: false, goneSinceMs: undefined };
}
