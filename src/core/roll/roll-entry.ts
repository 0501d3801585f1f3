/** A proxy of the roll: whose it is, what it refused, and until when it may act with what it held. */

import type { NackEvidence, ProxyEvidence, Reporter, SubscriptionEvidence } from "./evidence.ts";
import { lapsedSince, type LapsedSubscription } from "./lapsed-subscription.ts";
import { endOf, longestLifeMs } from "./leaf-record.ts";

export interface RollEntry {
  readonly reporter: Reporter;
  readonly evidence: ProxyEvidence;
  readonly connected: boolean;
  readonly lastSeenMs: number;
  /** When the last certificate ends that it has ever acknowledged; 0 for none. */
  readonly heldUntilMs: number;
  /** What it does not subscribe to any more, as it was: only its stream may be down. */
  readonly lapsed: readonly LapsedSubscription[];
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

/** Of a proxy that is reported now. @param known what was known of it */
export function reportedEntry(
  reporter: Reporter,
  evidence: ProxyEvidence,
  known: RollEntry | undefined,
  nowMs: number,
): RollEntry {
  let heldUntilMs = known?.heldUntilMs ?? 0;
  for (const { acked } of evidence.subscriptions) {
    heldUntilMs = Math.max(heldUntilMs, acked?.certificate?.notAfterMs ?? 0);
  }
  const lapsed = known === undefined ? [] : lapsedSince(known, evidence.subscriptions, nowMs);
  return { reporter, evidence, connected: true, lastSeenMs: nowMs, heldUntilMs, lapsed };
}

/** Whose proxy it is, which need not be who reports it. */
export function ownerOf({ reporter, evidence }: Pick<RollEntry, "reporter" | "evidence">): string {
  return evidence.spiffeId ?? reporter.spiffeId;
}

/** Those that were not known before. */
export function nacksSince(before: ProxyEvidence | undefined, entry: RollEntry): NewNack[] {
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

/** When the last certificate ends that it may have; 0 for none. */
export function lastNotAfterMs({ heldUntilMs, lastSeenMs }: RollEntry): number {
  return Math.min(heldUntilMs, lastSeenMs + longestLifeMs);
}

export function forgetAtMs(entry: RollEntry, skewMs: number): number {
  const notAfterMs = lastNotAfterMs(entry);
  const withoutMs = entry.lastSeenMs + absentWithoutCertificateMs;
  return notAfterMs === 0 ? withoutMs : Math.max(withoutMs, endOf(notAfterMs, skewMs));
}

/** Its stream, or its agent's, has ended. @param nowMs when it was still there; without it, as it was seen last */
export function leave(entries: Map<string, RollEntry>, id: string, nowMs?: number): void {
  const entry = entries.get(id);
  if (entry?.connected !== true) return;
  entries.set(id, { ...entry, connected: false, lastSeenMs: nowMs ?? entry.lastSeenMs });
}
