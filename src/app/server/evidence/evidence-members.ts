/**
 * Which proxies there were, and when, for `evidence.db`: as policy's agents tell of them. A proxy that was there before the server's start
 * is there until it is proven gone, as one whose agent is away is.
 */

import { labelsKey } from "../../../core/policy/labels.ts";
import { MultiMap } from "../../../core/policy/multi-map.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import type { GoneChange, MemberChange } from "../../../edge/evidence/evidence-change.ts";
import type { OpenMember } from "../../../edge/evidence/evidence-protocol.ts";
import { identityOf, proxyKeyOf, type PolicyProxy } from "../policy/policy-proxy.ts";
import { ProxyPlaces } from "../policy/proxy-places.ts";
import type { ProxyWatch } from "../policy/proxy-watch.ts";
import type { MissedIdentities } from "../policy/silent-owners.ts";

export interface EvidenceMembersDependencies {
  readonly note: (change: MemberChange | GoneChange) => void;
  readonly entryOf: (namespace: string, name: string) => WorkloadEntry | undefined;
  /** A workload may have another number of proxies. */
  readonly onPresence: (namespace: string, name: string) => void;
  readonly nowMs: () => number;
}

interface Known {
  readonly proxy: string;
  readonly agent: string;
  readonly spiffeId: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly name: string;
  /** By its Envoy; undefined while nothing was told of it but by reports. */
  readonly claimed: Labels | undefined;
  labels: string;
  /** Policy tells of it, and of its end. */
  readonly isTold: boolean;
  /** Its agent tells of others, and not of it, since then. */
  goneSinceMs: number | undefined;
}

/** As policy has it. */
const goneMs = 60_000;

export class EvidenceMembers implements ProxyWatch {
  readonly #dependencies: EvidenceMembersDependencies;
  readonly #members = new Map<string, Known>();
  /** By agent; those that policy does not tell of. */
  readonly #untold = new MultiMap<string, Known>();
  /** By namespace and name. */
  readonly #named = new MultiMap<string, Known>();
  readonly #places = new ProxyPlaces();

  /** @param left whom nobody has seen going before this start */
  constructor(dependencies: EvidenceMembersDependencies, left: readonly OpenMember[]) {
    this.#dependencies = dependencies;
    for (const { proxy, reporter: agent, spiffeId, name, labels } of left) {
      const [namespace = ""] = name.split("/", 1);
      const nodeId = name.slice(namespace.length + 1);
      const { serviceAccount } = identityOf(proxy, spiffeId, { proxyId: nodeId, labels });
      const named = { namespace, serviceAccount, name: nodeId, labels: labelsKey(labels) };
      const rest = { claimed: undefined, isTold: false, goneSinceMs: undefined };
      this.#keep({ proxy, agent, spiffeId, ...named, ...rest });
    }
  }

  /** A workload has a proxy with this identity. */
  isThere(namespace: string, name: string, spiffeId: string): boolean {
    for (const known of this.#named.of(nameKey({ namespace, name }))) {
      if (known.spiffeId === spiffeId) return true;
    }
    return false;
  }

  added({ identity, spiffeId, reporter }: PolicyProxy): void {
    const { key: proxy, namespace, serviceAccount, nodeId: name, claimedLabels } = identity;
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    const before = this.#members.get(proxy);
    if (before !== undefined) this.#drop(before);
    const named = { namespace, serviceAccount, name, claimed: claimedLabels };
    const rest = { labels: before?.labels ?? "", isTold: true, goneSinceMs: undefined };
    const known: Known = { proxy, agent, spiffeId, ...named, ...rest };
    this.#keep(known);
    this.#label(known, before === undefined);
  }

  removed({ identity: { key }, goneSinceMs }: PolicyProxy): void {
    const known = this.#members.get(key);
    if (known !== undefined) this.#gone(known, goneSinceMs ?? this.#dependencies.nowMs());
  }

  heard(reporter: Reporter, { unproven, dropped }: MissedIdentities): void {
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    if (!this.#untold.has(agent)) return;
    const missed = new Set([...unproven, ...dropped]);
    const now = this.#dependencies.nowMs();
    for (const known of this.#untold.of(agent)) {
      known.goneSinceMs = missed.has(known.spiffeId) ? undefined : (known.goneSinceMs ?? now);
    }
  }

  goodbye({ spiffeId, agentId }: Reporter): void {
    const now = this.#dependencies.nowMs();
    for (const known of this.#untold.of(agentKey(spiffeId, agentId))) this.#gone(known, now);
  }

  look(haveEnded: (spiffeId: string) => boolean): void {
    const now = this.#dependencies.nowMs();
    for (const known of this.#members.values()) {
      if (known.isTold) continue;
      const { goneSinceMs, spiffeId } = known;
      if (goneSinceMs !== undefined && now - goneSinceMs >= goneMs) this.#gone(known, goneSinceMs);
      else if (haveEnded(spiffeId)) this.#gone(known, now);
    }
  }

  /**
   * A report tells of it. Where policy does not soon, it counts as gone again.
   * @returns its key; undefined where there is no room for more
   */
  reported(reporter: Reporter, spiffeId: string, proxyId: string): string | undefined {
    const proxy = proxyKeyOf(reporter, spiffeId, proxyId);
    if (this.#members.has(proxy)) return proxy;
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    if (!this.#places.hasRoom(agent, spiffeId)) return undefined;
    const { namespace, serviceAccount } = identityOf(proxy, spiffeId, {
      proxyId,
      labels: new Map(),
    });
    const named = { namespace, serviceAccount, name: proxyId, claimed: undefined, labels: "" };
    const goneSinceMs = this.#dependencies.nowMs();
    const known: Known = { proxy, agent, spiffeId, ...named, isTold: false, goneSinceMs };
    this.#keep(known);
    this.#label(known, true);
    return proxy;
  }

  /** A WorkloadEntry has come, gone or changed. */
  entryChanged(namespace: string, name: string): void {
    for (const known of this.#named.of(nameKey({ namespace, name }))) this.#label(known, false);
  }

  /** Its entry's labels, else those that its Envoy claims; what neither says stays as it was. */
  #label(known: Known, isNew: boolean): void {
    const { proxy, agent, spiffeId, namespace, name, serviceAccount, claimed } = known;
    const entry = this.#dependencies.entryOf(namespace, name);
    const own = entry?.serviceAccount === serviceAccount ? entry.labels : claimed;
    const labels = own === undefined ? known.labels : labelsKey(own);
    if (!isNew && labels === known.labels) return;
    known.labels = labels;
    const atMs = this.#dependencies.nowMs();
    const named = { spiffeId, namespace, name, labels };
    this.#dependencies.note({ kind: "member", proxy, reporter: agent, ...named, atMs });
  }

  #gone(known: Known, atMs: number): void {
    this.#drop(known);
    this.#dependencies.note({ kind: "gone", proxy: known.proxy, atMs });
    this.#dependencies.onPresence(known.namespace, known.name);
  }

  #keep(known: Known): void {
    const { proxy, agent, spiffeId, namespace, name } = known;
    this.#members.set(proxy, known);
    this.#named.add(nameKey({ namespace, name }), known);
    if (!known.isTold) this.#untold.add(agent, known);
    this.#places.take(agent, spiffeId, 1);
    this.#dependencies.onPresence(namespace, name);
  }

  #drop(known: Known): void {
    const { proxy, agent, spiffeId, namespace, name } = known;
    this.#members.delete(proxy);
    this.#named.delete(nameKey({ namespace, name }), known);
    this.#untold.delete(agent, known);
    this.#places.take(agent, spiffeId, -1);
  }
}
