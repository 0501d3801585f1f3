/**
 * The roll: every proxy that an agent has reported, with what it confirmed. Soft state: it is rebuilt from the agents'
 * reconnects, and never persisted. It knows no clock and no stream; both are told to it.
 */

import { PortcullisError } from "../error.ts";
import type {
  EvidenceReport,
  NackEvidence,
  ProxyEvidence,
  Reporter,
  SubscriptionEvidence,
} from "./evidence.ts";

export type RollErrorCode = "roll-full" | "roll-report-too-large";

export class RollError extends PortcullisError<RollErrorCode> {
  override name = "RollError";
}

export interface RollLimits {
  readonly proxiesMax: number;
  /** One identity, compromised, must not fill the roll for all others by agents that it makes up. */
  readonly proxiesPerIdentityMax: number;
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
  readonly resourceName: string;
  readonly nack: NackEvidence;
}

/** A proxy that went away is remembered this long if it held no certificate, else until that one has expired. */
const absentWithoutCertificateMs = 3_600_000;
/** No certificate lives longer (design 4.5), whatever a report says. */
const longestLifeMs = 90 * 86_400_000;

export class Roll {
  readonly #limits: RollLimits;
  /** By reporter, then by proxy id: a proxy's name means nothing outside the identity that reports it. */
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
      newNacks.push(...nacksSince(entries.get(evidence.proxyId)?.evidence, evidence));
      if (!entries.has(evidence.proxyId)) this.#count(reporter, 1);
      entries.set(evidence.proxyId, { reporter, evidence, connected: true, lastSeenMs: nowMs });
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
        this.#count(entry.reporter, -1);
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

  #count({ spiffeId }: Reporter, change: 1 | -1): void {
    const size = (this.#sizes.get(spiffeId) ?? 0) + change;
    if (size === 0) this.#sizes.delete(spiffeId);
    else this.#sizes.set(spiffeId, size);
    this.#size += change;
  }

  #leave(entries: Map<string, RollEntry>, proxyIds: readonly string[]): void {
    for (const id of proxyIds) {
      const entry = entries.get(id);
      if (entry !== undefined) entries.set(id, { ...entry, connected: false });
    }
  }

  #checkLimits(reporter: Reporter, report: EvidenceReport): void {
    const { proxiesMax, proxiesPerIdentityMax, proxiesPerReporterMax, subscriptionsPerProxyMax } =
      this.#limits;
    const known = this.#reporters.get(keyOf(reporter));
    const ids = new Set(report.proxies.map((proxy) => proxy.proxyId));
    const added = [...ids].filter((id) => known?.has(id) !== true).length;
    const widest = Math.max(0, ...report.proxies.map((proxy) => proxy.subscriptions.length));
    if ((known?.size ?? 0) + added > proxiesPerReporterMax || widest > subscriptionsPerProxyMax) {
      throw new RollError(
        "roll-report-too-large",
        `expected at most ${proxiesPerReporterMax} proxies with ${subscriptionsPerProxyMax} ` +
          `subscriptions each, got ${(known?.size ?? 0) + added} with up to ${widest}`,
      );
    }
    if ((this.#sizes.get(reporter.spiffeId) ?? 0) + added > proxiesPerIdentityMax) {
      const message = `expected at most ${proxiesPerIdentityMax} proxies of ${reporter.spiffeId}`;
      throw new RollError("roll-full", message);
    }
    if (this.#size + added > proxiesMax) {
      throw new RollError("roll-full", `expected at most ${proxiesMax} proxies in the mesh`);
    }
  }
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return `${spiffeId} ${agentId}`;
}

function nacksSince(before: ProxyEvidence | undefined, { proxyId, subscriptions }: ProxyEvidence) {
  const known = new Set(before?.subscriptions.map(nackKey));
  return subscriptions.flatMap((subscription): NewNack[] => {
    const { resourceName, nack } = subscription;
    return nack === undefined || known.has(nackKey(subscription))
      ? []
      : [{ proxyId, resourceName, nack }];
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
