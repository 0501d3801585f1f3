/**
 * The roll: every agent, and every proxy that one has reported, with what it confirmed. Soft state: it is rebuilt from the
 * agents' reconnects, and never persisted. It knows no clock and no stream; both are told to it.
 */

import { AgentRoll, isHeard, type AgentEntry, type ConnectedFacts } from "./agent-roll.ts";
import { proxyKey, type EvidenceReport, type Reporter } from "./evidence.ts";
import { agentKey } from "./leaf-owners.ts";
import { skewMaxMs } from "./leaf-record.ts";
import type { AgentClock } from "./proven-time.ts";
import {
  forgetAtMs,
  lastNotAfterMs,
  leave,
  nacksSince,
  ownerOf,
  reportedEntry,
  type NewNack,
  type RollEntry,
} from "./roll-entry.ts";
import { assertFits, RollCount, type RollLimits } from "./roll-limits.ts";

export class Roll {
  readonly #limits: RollLimits;
  readonly #seenSkewMs: () => number;
  readonly #agents: AgentRoll;
  /** By reporter, then by `proxyKey`: a proxy's name means nothing outside the identity that reports it. */
  readonly #reporters = new Map<string, Map<string, RollEntry>>();
  readonly #count: RollCount;

  /** @param seenSkewMs of agents that may be away: the roll forgets them, and begins without them */
  constructor(limits: RollLimits, seenSkewMs: () => number = () => 0) {
    this.#seenSkewMs = seenSkewMs;
    this.#limits = limits;
    this.#agents = new AgentRoll(limits);
    this.#count = new RollCount("proxies", limits);
  }

  /**
   * An agent's stream has begun. What an older one has said holds no more: it says all of it again.
   * @throws RollError `roll-full`, and changes nothing
   */
  connected(reporter: Reporter, facts: ConnectedFacts): void {
    const wasAway = this.#agents.get(keyOf(reporter))?.connected === false;
    this.#agents.connected(reporter, facts);
    this.#leaveAll(reporter, facts.nowMs);
    if (wasAway) this.#holdNewest(reporter, facts);
  }

  /**
   * Replaces what was known of each proxy that the report names, and of the agent itself.
   * @returns the refusals that were not known before
   * @throws RollError, and changes nothing
   */
  report(reporter: Reporter, report: EvidenceReport, nowMs: number): NewNack[] {
    const key = keyOf(reporter);
    const entries = this.#reporters.get(key) ?? new Map<string, RollEntry>();
    assertFits(this.#limits, this.#count, reporter, report, entries);
    this.#agents.report(reporter, report, nowMs);
    this.#reporters.set(key, entries);
    if (report.full) for (const id of entries.keys()) leave(entries, id);
    const newNacks: NewNack[] = [];
    for (const evidence of report.proxies) {
      const id = proxyKey(evidence);
      const known = entries.get(id);
      const entry = reportedEntry(reporter, evidence, known, nowMs);
      newNacks.push(...nacksSince(known?.evidence, entry));
      if (known === undefined) this.#count.change(ownerOf(entry), 1);
      entries.set(id, entry);
    }
    for (const id of report.gone) this.#gone(entries, id);
    return newNacks;
  }

  /** The reporter's stream has ended: it and its proxies may live on, unseen. */
  disconnected(reporter: Reporter, nowMs: number): void {
    this.#agents.disconnected(reporter, nowMs);
    this.#leaveAll(reporter, nowMs);
  }

  /** Its keys are destroyed, and nobody verifies with what it had: nothing of it is waited for. */
  goodbye(reporter: Reporter): void {
    this.#agents.remove(reporter);
    const entries = this.#reporters.get(keyOf(reporter));
    for (const id of entries?.keys() ?? []) if (entries !== undefined) this.#delete(entries, id);
    this.#reporters.delete(keyOf(reporter));
  }

  /** Forgets whoever is away and can no longer act: its last certificate has expired. */
  prune(nowMs: number): void {
    const skewMs = this.maxSkewMs;
    for (const [key, entries] of this.#reporters) {
      const isTold = isHeard(this.#agents.get(key));
      for (const [id, entry] of entries) {
        if (entry.connected) continue;
        const isClient = entry.evidence.weak === true && isTold;
        // Each of its streams has a name of its own: they would be too many.
        if (isClient) this.#agents.unobserved(key, lastNotAfterMs(entry));
        if (isClient || nowMs >= forgetAtMs(entry, skewMs)) this.#delete(entries, id);
      }
      if (entries.size === 0) this.#reporters.delete(key);
    }
    this.#agents.prune(nowMs);
  }

  entries(): RollEntry[] {
    return [...this.#reporters.values()].flatMap((entries) => [...entries.values()]);
  }

  agents(): AgentEntry[] {
    return Array.from(this.#agents.entries(), ([, agent]) => agent);
  }

  /** @param key as `agentKey` makes it */
  agent(key: string): AgentEntry | undefined {
    return this.#agents.get(key);
  }

  /** Of agents that are connected. */
  clocks(): AgentClock[] {
    return this.agents().flatMap(({ reporter: { spiffeId }, connected, skewMs }) =>
      connected ? [{ spiffeId, skewMs }] : [],
    );
  }

  /** The greatest difference to the clock of an agent that is known, whichever way; at most an hour. */
  get maxSkewMs(): number {
    let max = this.#seenSkewMs();
    for (const [, { skewMs = 0 }] of this.#agents.entries()) max = Math.max(max, Math.abs(skewMs));
    return Math.min(max, skewMaxMs);
  }

  /** Before it went away it may have handed out a certificate, and not have told of it. */
  #holdNewest(reporter: Reporter, { newestNotAfterMs = () => 0 }: ConnectedFacts): void {
    const entries = this.#reporters.get(keyOf(reporter));
    for (const [id, entry] of entries ?? []) {
      const heldUntilMs = Math.max(entry.heldUntilMs, newestNotAfterMs(ownerOf(entry)));
      if (heldUntilMs > entry.heldUntilMs) entries?.set(id, { ...entry, heldUntilMs });
    }
  }

  /** As long as the stream was open, what was said on it held. */
  #leaveAll(reporter: Reporter, nowMs: number): void {
    const entries = this.#reporters.get(keyOf(reporter));
    for (const id of entries?.keys() ?? []) if (entries !== undefined) leave(entries, id, nowMs);
  }

  /** A client of the Workload API that has closed its stream is counted by its agent. */
  #gone(entries: Map<string, RollEntry>, id: string): void {
    if (entries.get(id)?.evidence.weak === true) this.#delete(entries, id);
    else leave(entries, id);
  }

  #delete(entries: Map<string, RollEntry>, id: string): void {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entries.delete(id);
    this.#count.change(ownerOf(entry), -1);
  }
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return agentKey(spiffeId, agentId);
}
