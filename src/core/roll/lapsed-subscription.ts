/**
 * Subscriptions that a proxy had, and that its next report lacks. Envoy opens a stream for each context, and one that breaks
 * is back after a while (its backoff ends at 30 s); until then that context goes on with the bundle that it has.
 */

import type { SubscriptionEvidence } from "./evidence.ts";

export interface LapsedSubscription {
  readonly subscription: SubscriptionEvidence;
  /** It was given up, and nobody uses what it had. */
  readonly untilMs: number;
}

export interface KnownSubscriptions {
  readonly evidence: { readonly subscriptions: readonly SubscriptionEvidence[] };
  readonly lapsed: readonly LapsedSubscription[];
}

/** Twice the longest backoff. */
const lapsedKeptMs = 60_000;
/** More than a proxy may have open. */
const lapsedMax = 64;

/** A new stream takes the place of one that is missing and had its name. @param present what it subscribes to now */
export function lapsedSince(
  known: KnownSubscriptions,
  present: readonly SubscriptionEvidence[],
  nowMs: number,
): readonly LapsedSubscription[] {
  const had = known.evidence.subscriptions;
  const missing = had.filter((each) => !present.some((other) => isSame(each, other)));
  if (missing.length === 0 && known.lapsed.length === 0) return [];
  const untilMs = nowMs + lapsedKeptMs;
  const lapsed = known.lapsed.filter((each) => nowMs < each.untilMs);
  lapsed.push(...missing.map((subscription) => ({ subscription, untilMs })));
  for (const fresh of present) {
    if (had.some((each) => isSame(each, fresh))) continue;
    const place = lapsed.findIndex(
      ({ subscription }) => subscription.resourceName === fresh.resourceName,
    );
    if (place !== -1) lapsed.splice(place, 1);
  }
  return lapsed.slice(-lapsedMax);
}

function isSame(a: SubscriptionEvidence, b: SubscriptionEvidence): boolean {
  return a.streamId === b.streamId && a.resourceName === b.resourceName;
}
