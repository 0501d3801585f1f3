/**
 * What an agent remembers of a proxy, for a server that has forgotten it: the last certificate that went out to it, and what it
 * had asked for. While that certificate may be used, the proxy may act with it, whether it is heard of or not.
 */

import { certificateSecretName } from "../../core/envoy/secret.ts";
import type {
  HeldCertificate,
  ProxyEvidence,
  SubscriptionEvidence,
} from "../../core/roll/evidence.ts";
import { lapsedSince, type LapsedSubscription } from "../../core/roll/lapsed-subscription.ts";
import { withSubscriptions } from "./proxy-evidence.ts";

export interface RememberedProxy {
  /** Of the last time that it was here. */
  readonly evidence: ProxyEvidence;
  /** Streams of it may be down, and what they had is in use. */
  readonly lapsed: readonly LapsedSubscription[];
  readonly sent?: SentCertificate;
}

export interface SentCertificate extends HeldCertificate {
  readonly atMs: number;
}

/** It is here. */
export function seen(
  known: RememberedProxy | undefined,
  evidence: ProxyEvidence,
  nowMs: number,
): RememberedProxy {
  if (known === undefined) return { evidence, lapsed: [] };
  // No stream of this life has the number of another life's.
  const before = { ...known, connected: true };
  return { ...known, evidence, lapsed: lapsedSince(before, evidence.subscriptions, nowMs) };
}

/** With what its streams had that are down; undefined where nothing is missing. */
export function evidenceHere(
  { evidence, lapsed }: RememberedProxy,
  nowMs: number,
): ProxyEvidence | undefined {
  const still = lapsed.filter(({ untilMs }) => nowMs < untilMs);
  return still.length === 0
    ? undefined
    : withSubscriptions(
        evidence,
        still.map(({ subscription }) => subscription),
      );
}

/** Of one that is away; undefined where it can do nothing any more. */
export function evidenceAway(known: RememberedProxy, nowMs: number): ProxyEvidence | undefined {
  const { evidence, sent } = known;
  if (sent === undefined || nowMs >= sent.notAfterMs) return undefined;
  const { serialHex, notAfterMs, atMs } = sent;
  const isKnown = ({ acked }: SubscriptionEvidence) => acked?.certificate?.serialHex === serialHex;
  const before = evidenceHere(known, nowMs) ?? evidence;
  if (before.subscriptions.some(isKnown)) return before;
  // Whether it has taken it nobody knows: it counts as though it had.
  const certificate = { serialHex, notAfterMs };
  const acked = { atMs, certificate, bundleSequence: 0n };
  return withSubscriptions(before, [
    { ...unseenStream, resourceName: certificateSecretName, acked },
  ]);
}

/** As JSON keeps it. */
export interface StoredProxy extends SentCertificate {
  readonly spiffeId?: string;
  readonly proxyId: string;
  readonly names: readonly string[];
}

/** More than there are for trust bundles. */
const namesMax = 8;
const nameLengthMax = 300;

/** What it asked for besides its certificate, on streams that are down as well: it verifies with that, too. */
export function namesOf({ evidence, lapsed }: RememberedProxy): string[] {
  const all = [...evidence.subscriptions, ...lapsed.map(({ subscription }) => subscription)];
  const names = new Set(all.map(({ resourceName }) => resourceName));
  names.delete(certificateSecretName);
  const kept = [...names].filter(({ length }) => length <= nameLengthMax);
  return kept.toSorted().slice(0, namesMax);
}

export function encodeRemembered(known: RememberedProxy): StoredProxy | undefined {
  const { evidence, sent } = known;
  if (sent === undefined) return undefined;
  const { proxyId, spiffeId } = evidence;
  return {
    ...(spiffeId !== undefined && { spiffeId }),
    proxyId,
    names: namesOf(known),
    ...sent,
  };
}

/** @throws TypeError */
export function parseRemembered(stored: StoredProxy): RememberedProxy {
  const { spiffeId, proxyId, names, serialHex, notAfterMs, atMs } = stored;
  const texts: unknown[] = [spiffeId ?? "", proxyId, serialHex, ...names];
  if (!texts.every((each) => typeof each === "string")) throw new TypeError("expected texts");
  if (!Number.isSafeInteger(notAfterMs) || !Number.isSafeInteger(atMs)) {
    throw new TypeError("expected times");
  }
  const subscriptions = names.map((resourceName) => ({ ...unseenStream, resourceName }));
  return {
    evidence: { proxyId, ...(spiffeId !== undefined && { spiffeId }), subscriptions },
    lapsed: [],
    sent: { serialHex, notAfterMs, atMs },
  };
}

/** Of another life of the agent. */
const unseenStream = { streamId: 0n } as const;
