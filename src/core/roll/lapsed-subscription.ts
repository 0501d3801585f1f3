/**
 * Subscriptions that a proxy had, and that its next report lacks. Envoy opens a stream for each context, and one that breaks
 * is back after a while (its backoff ends at 30 s); until then that context goes on with the bundle that it has. Which context
 * is back nobody can tell, only its name: it counts as the one with the best evidence, so that the worst is waited for.
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
  /** Whether its agent still counts streams as it did: one that has begun anew may give their numbers to others. */
  readonly connected: boolean;
}

/** Twice the longest backoff. */
const lapsedKeptMs = 60_000;
/** More than a proxy may have open. */
const lapsedMax = 64;

/** @param present what it subscribes to now. @returns the best evidence first */
export function lapsedSince(
  { evidence, lapsed: before, connected }: KnownSubscriptions,
  present: readonly SubscriptionEvidence[],
  nowMs: number,
): readonly LapsedSubscription[] {
  const had = evidence.subscriptions;
  const isIn = (list: readonly SubscriptionEvidence[], one: SubscriptionEvidence): boolean =>
    connected && list.some((other) => isSame(one, other));
  const missing = had.filter((each) => !isIn(present, each));
  if (missing.length === 0 && before.length === 0) return [];
  const untilMs = nowMs + lapsedKeptMs;
  const lapsed = before.filter((each) => nowMs < each.untilMs);
  lapsed.push(...missing.map((subscription) => ({ subscription, untilMs })));
  lapsed.sort((a, b) => bestFirst(a.subscription, b.subscription));
  for (const fresh of present) {
    if (isIn(had, fresh)) continue;
    const place = lapsed.findIndex(
      ({ subscription }) => subscription.resourceName === fresh.resourceName,
    );
    if (place !== -1) lapsed.splice(place, 1);
  }
  return lapsed.slice(-lapsedMax);
}

/** The newest bundle, taken last; a refusal is the worst. */
function bestFirst(a: SubscriptionEvidence, b: SubscriptionEvidence): number {
  const bySequence = worth(b) - worth(a);
  return bySequence === 0 ? (b.acked?.atMs ?? 0) - (a.acked?.atMs ?? 0) : bySequence;
}

function worth({ acked, nack }: SubscriptionEvidence): number {
  if (nack !== undefined) return -2;
  return acked === undefined ? -1 : Number(acked.bundleSequence);
}

function isSame(a: SubscriptionEvidence, b: SubscriptionEvidence): boolean {
  return a.streamId === b.streamId && a.resourceName === b.resourceName;
}
