/**
 * The roll: every proxy that an agent has reported, with what it confirmed. Soft state: it is rebuilt from the agents'
 * reconnects, and never persisted. It knows no clock and no stream; both are told to it.
 */

import { PortcullisError } from "../error.ts";
import {
  proxyKey,
  type EvidenceReport,
  type NackEvidence,
  type ProxyEvidence,
  type Reporter,
  type SubscriptionEvidence,
} from "./evidence.ts";

export type RollErrorCode = "roll-full" | "roll-report-too-large";

export class RollError extends PortcullisError<RollErrorCode> {
  override name = "RollError";
}

export interface RollLimits {
  readonly proxiesMax: number;
  /** One identity, compromised, must not fill the roll for all others by agents that it makes up. */
  readonly proxiesPerIdentityMax: number;
  /** Of one identity at one reporter: a node agent speaks for many. */
  readonly proxiesPerReporterMax: number;
  readonly subscriptionsPerProxyMax: number;
}

export interface RollEntry {
  readonly reporter: Reporter;
  readonly evidence: ProxyEvidence;
  readonly connected: boolean;
  readonly lastSeenMs: number;
}

/** A secret that a proxy refused. */
export interface NewNack {
  readonly proxyId: string;
  /** Whose proxy it is. */
  readonly spiffeId: string;
  readonly resourceName: string;
  readonly nack: NackEvidence;
}

/** A proxy that went away is remembered this long if it held no certificate, else until that one has expired. */
const absentWithoutCertificateMs = 3_600_000;
/** No certificate lives longer (design 4.5), whatever a report says. */
const longestLifeMs = 90 * 86_400_000;

export class Roll {
  readonly #limits: RollLimits;
  /** By reporter, then by `proxyKey`: a proxy's name means nothing outside the identity that reports it. */
  readonly #reporters = new Map<string, Map<string, RollEntry>>();
  readonly #sizes = new Map<string, number>();
  #size = 0;

  constructor(limits: RollLimits) {
    this.#limits = limits;
  }

  /**
   * Replaces what was known of each proxy that the report names.
   * @returns the refusals that were not known before
   * @throws RollError, and changes nothing
   */
  report(reporter: Reporter, report: EvidenceReport, nowMs: number): NewNack[] {
    this.#checkLimits(reporter, report);
    const entries = this.#reporters.get(keyOf(reporter)) ?? new Map<string, RollEntry>();
    this.#reporters.set(keyOf(reporter), entries);
    if (report.full) this.#leave(entries, [...entries.keys()]);
    const newNacks: NewNack[] = [];
    for (const evidence of report.proxies) {
      const key = proxyKey(evidence);
      const entry = { reporter, evidence, connected: true, lastSeenMs: nowMs };
      newNacks.push(...nacksSince(entries.get(key)?.evidence, entry));
      if (!entries.has(key)) this.#count(entry, 1);
      entries.set(key, entry);
    }
    this.#leave(entries, report.gone);
    return newNacks;
  }

  /** The reporter's stream has ended: its proxies may live on, unseen. */
  disconnected(reporter: Reporter, nowMs: number): void {
    this.#seen(reporter, nowMs);
    const entries = this.#reporters.get(keyOf(reporter));
    if (entries !== undefined) this.#leave(entries, [...entries.keys()]);
  }

  /** Forgets whoever is away and can no longer act: its last certificate has expired. */
  prune(nowMs: number): void {
    for (const [key, entries] of this.#reporters) {
      for (const [id, entry] of entries) {
        if (entry.connected || nowMs < forgetAtMs(entry)) continue;
        entries.delete(id);
        this.#count(entry, -1);
      }
      if (entries.size === 0) this.#reporters.delete(key);
    }
  }

  entries(): RollEntry[] {
    return [...this.#reporters.values()].flatMap((entries) => [...entries.values()]);
  }

  /** As long as the reporter's stream was open, what it said held. */
  #seen(reporter: Reporter, nowMs: number): void {
    const entries = this.#reporters.get(keyOf(reporter));
    for (const [id, entry] of entries ?? []) {
      if (entry.connected) entries?.set(id, { ...entry, lastSeenMs: nowMs });
    }
  }

  #count(entry: RollEntry, change: 1 | -1): void {
    const spiffeId = ownerOf(entry);
    const size = (this.#sizes.get(spiffeId) ?? 0) + change;
    if (size === 0) this.#sizes.delete(spiffeId);
    else this.#sizes.set(spiffeId, size);
    this.#size += change;
  }

  #leave(entries: Map<string, RollEntry>, keys: readonly string[]): void {
    for (const key of keys) {
      const entry = entries.get(key);
      if (entry !== undefined) entries.set(key, { ...entry, connected: false });
    }
  }

  #checkLimits(reporter: Reporter, report: EvidenceReport): void {
    const { proxiesMax, subscriptionsPerProxyMax } = this.#limits;
    const widest = Math.max(0, ...report.proxies.map((proxy) => proxy.subscriptions.length));
    if (widest > subscriptionsPerProxyMax) {
      throw new RollError(
        "roll-report-too-large",
        `expected at most ${subscriptionsPerProxyMax} subscriptions of a proxy, got ${widest}`,
      );
    }
    const known = this.#reporters.get(keyOf(reporter)) ?? new Map<string, RollEntry>();
    const added = new Map(report.proxies.map((proxy) => [proxyKey(proxy), proxy]));
    for (const key of known.keys()) added.delete(key);
    const byOwner = Map.groupBy(added.values(), (evidence) => ownerOf({ reporter, evidence }));
    for (const [spiffeId, { length }] of byOwner) {
      this.#checkIdentity(spiffeId, known.values(), length);
    }
    if (this.#size + added.size > proxiesMax) {
      throw new RollError("roll-full", `expected at most ${proxiesMax} proxies in the mesh`);
    }
  }

  /** @param known of the reporter */
  #checkIdentity(spiffeId: string, known: Iterable<RollEntry>, added: number): void {
    const { proxiesPerIdentityMax, proxiesPerReporterMax } = this.#limits;
    const here = Array.from(known).filter((entry) => ownerOf(entry) === spiffeId).length + added;
    if (here > proxiesPerReporterMax) {
      throw new RollError(
        "roll-report-too-large",
        `expected at most ${proxiesPerReporterMax} proxies of ${spiffeId} at an agent, got ${here}`,
      );
    }
    if ((this.#sizes.get(spiffeId) ?? 0) + added > proxiesPerIdentityMax) {
      const message = `expected at most ${proxiesPerIdentityMax} proxies of ${spiffeId}`;
      throw new RollError("roll-full", message);
    }
  }
}

/** Whose proxy it is, which need not be who reports it. */
export function ownerOf({ reporter, evidence }: Pick<RollEntry, "reporter" | "evidence">): string {
  return evidence.spiffeId ?? reporter.spiffeId;
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return `${spiffeId} ${agentId}`;
}

function nacksSince(before: ProxyEvidence | undefined, entry: RollEntry): NewNack[] {
  const { proxyId, subscriptions } = entry.evidence;
  const spiffeId = ownerOf(entry);
  const known = new Set(before?.subscriptions.map(nackKey));
  return subscriptions.flatMap((subscription): NewNack[] => {
    const { resourceName, nack } = subscription;
    return nack === undefined || known.has(nackKey(subscription))
      ? []
      : [{ proxyId, spiffeId, resourceName, nack }];
  });
}

function nackKey({ resourceName, streamId, nack }: SubscriptionEvidence): string {
  return `${streamId} ${nack?.atMs} ${resourceName}`;
}

function forgetAtMs({ evidence, lastSeenMs }: RollEntry): number {
  const notAfterMs = evidence.subscriptions.map((s) => s.acked?.certificate?.notAfterMs ?? 0);
  const lastExpiryMs = Math.min(Math.max(...notAfterMs, 0), lastSeenMs + longestLifeMs);
  return Math.max(lastSeenMs + absentWithoutCertificateMs, lastExpiryMs);
}
