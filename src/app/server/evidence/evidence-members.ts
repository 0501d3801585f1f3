/**
 * Which proxies there were, and when, for `evidence.db`: as policy's agents tell of them. A proxy that was there before the server's start
 * is there until it is proven gone, as one whose agent is away is.
 */

import { labelsKey } from "../../../core/policy/labels.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import type {
  GoneChange,
  MemberChange,
  ReportedProxy,
} from "../../../edge/evidence/evidence-change.ts";
import type { OpenMember } from "../../../edge/evidence/evidence-protocol.ts";
import { proxyKeyOf, type PolicyProxy } from "../policy/policy-proxy.ts";
import type { ProxyWatch } from "../policy/proxy-watch.ts";
import type { MissedIdentities } from "../policy/silent-owners.ts";
import { KnownMembers, memberLeft, untoldMember, type KnownMember } from "./known-members.ts";
import { UnkeptIdentities } from "./unkept-identities.ts";

export interface EvidenceMembersDependencies {
  readonly note: (change: MemberChange | GoneChange) => void;
  readonly entryOf: (namespace: string, name: string) => WorkloadEntry | undefined;
  /** A workload may have another number of proxies. */
  readonly onPresence: (namespace: string, name: string) => void;
  readonly nowMs: () => number;
}

/** As policy has it. */
const goneMs = 60_000;

export class EvidenceMembers implements ProxyWatch {
  readonly #dependencies: EvidenceMembersDependencies;
  readonly #known = new KnownMembers();
  readonly #unkept = new UnkeptIdentities();

  /** @param left whom nobody has seen going before this start */
  constructor(dependencies: EvidenceMembersDependencies, left: readonly OpenMember[]) {
    this.#dependencies = dependencies;
    for (const each of left) this.#keep(memberLeft(each));
  }

  /** A workload has a proxy with this identity. */
  isThere(namespace: string, name: string, spiffeId: string): boolean {
    for (const known of this.#known.named(namespace, name)) {
      if (known.spiffeId === spiffeId) return true;
    }
    return false;
  }

  /** Of those of which policy does not tell. */
  *untold(): Generator<string> {
    for (const { isTold, spiffeId } of this.#known.all()) if (!isTold) yield spiffeId;
  }

  added({ identity, spiffeId, reporter }: PolicyProxy): void {
    const { key: proxy, namespace, serviceAccount, nodeId: name, claimedLabels } = identity;
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    const before = this.#known.get(proxy);
    if (before !== undefined) this.#known.delete(before);
    const named = { namespace, serviceAccount, name, claimed: claimedLabels };
    const rest = { labels: before?.labels ?? "", isTold: true, goneSinceMs: undefined };
    const known: KnownMember = { proxy, agent, spiffeId, ...named, ...rest };
    this.#keep(known);
    this.#label(known, before === undefined);
  }

  removed({ identity: { key }, goneSinceMs }: PolicyProxy): void {
    const known = this.#known.get(key);
    if (known !== undefined) this.#gone(known, goneSinceMs ?? this.#dependencies.nowMs());
  }

  heard(reporter: Reporter, { unproven, dropped }: MissedIdentities): void {
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    const missed = new Set([...unproven, ...dropped]);
    const now = this.#dependencies.nowMs();
    for (const known of this.#known.untoldOf(agent)) {
      known.goneSinceMs = missed.has(known.spiffeId) ? undefined : (known.goneSinceMs ?? now);
      if (known.goneSinceMs === undefined) delete known.toldUntilMs;
    }
  }

  goodbye({ spiffeId, agentId }: Reporter): void {
    const now = this.#dependencies.nowMs();
    for (const known of this.#known.untoldOf(agentKey(spiffeId, agentId))) {
      this.#gone(known, Math.min(known.toldUntilMs ?? now, now));
    }
  }

  look(haveEnded: (spiffeId: string, proxy: string) => boolean): void {
    const now = this.#dependencies.nowMs();
    for (const known of this.#known.all()) {
      if (known.isTold) continue;
      const { goneSinceMs, spiffeId, proxy } = known;
      if (goneSinceMs !== undefined && now - goneSinceMs >= goneMs) {
        this.#gone(known, Math.min(known.toldUntilMs ?? goneSinceMs, now));
      } else if (haveEnded(spiffeId, proxy)) this.#gone(known, now);
    }
  }

  /**
   * A report tells of it. Where policy does not soon, it counts as gone again.
   * @returns its key; undefined where there is no room for more
   */
  reported(reporter: Reporter, spiffeId: string, proxyId: string): string | undefined {
    const proxy = proxyKeyOf(reporter, spiffeId, proxyId);
    if (this.#known.get(proxy) !== undefined) return proxy;
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    if (!this.#known.hasRoom(agent, spiffeId)) {
      this.#unkept.add(spiffeId, this.#dependencies.nowMs());
      return undefined;
    }
    const known = untoldMember(proxy, agent, spiffeId, proxyId);
    known.goneSinceMs = this.#dependencies.nowMs();
    this.#keep(known);
    this.#label(known, true);
    return proxy;
  }

  /** Their reports are durable. */
  kept(proxies: readonly ReportedProxy[]): void {
    this.#known.kept(proxies);
  }

  /** A WorkloadEntry has come, gone or changed. */
  entryChanged(namespace: string, name: string): void {
    for (const known of this.#known.named(namespace, name)) this.#label(known, false);
  }

  /** Its entry's labels, else those that its Envoy claims; what neither says stays as it was. */
  #label(known: KnownMember, isNew: boolean): void {
    const { proxy, agent, spiffeId, namespace, name, serviceAccount, claimed } = known;
    const entry = this.#dependencies.entryOf(namespace, name);
    const own = entry?.serviceAccount === serviceAccount ? entry.labels : claimed;
    const labels = own === undefined ? known.labels : labelsKey(own);
    if (!isNew && labels === known.labels) return;
    known.labels = labels;
    const atMs = this.#dependencies.nowMs();
    const lostMs = isNew ? this.#unkept.untilMs(spiffeId) : 0;
    const named = { spiffeId, namespace, name, labels, lostMs };
    this.#dependencies.note({ kind: "member", proxy, reporter: agent, ...named, atMs });
  }

  #gone(known: KnownMember, atMs: number): void {
    this.#known.delete(known);
    this.#dependencies.note({ kind: "gone", proxy: known.proxy, atMs });
    this.#dependencies.onPresence(known.namespace, known.name);
  }

  #keep(known: KnownMember): void {
    this.#known.add(known);
    this.#dependencies.onPresence(known.namespace, known.name);
  }
}
