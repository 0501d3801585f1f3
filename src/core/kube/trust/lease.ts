/**
 * Who may advance the trust of a cluster, by a Lease (`coordination.k8s.io/v1`). As client-go does it, no clock is compared with another
 * machine's: a Lease has expired when it has been seen unchanged for its duration, and its holder gives it up before that.
 */

/** How long one is good, how long its holder goes on without a renewal, and how often he renews. As client-go. */
export const leaseTimes = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 } as const;

export interface Lease {
  /** As `leaseHolder` makes it; "" for one that was given back. */
  readonly holder: string;
  readonly durationMs: number;
  /** Unix ms, by its holder's clock: for people. */
  readonly acquiredMs: number;
  readonly renewedMs: number;
  readonly transitions: number;
}

/** As one looks at it. */
export interface SeenLease {
  /** Undefined: there is none. */
  readonly lease: Lease | undefined;
  /** Its `resourceVersion`; "" where there is none. */
  readonly version: string;
  /** When it was first seen so; monotonic. */
  readonly sinceMs: number;
}

export type LeaseDecision =
  | { readonly kind: "create" | "renew" | "take"; readonly next: Lease }
  | { readonly kind: "wait"; readonly holder: string; readonly untilMs: number };

/** @param nowMs monotonic */
export function seeLease(
  before: SeenLease | undefined,
  found: Pick<SeenLease, "lease" | "version">,
  nowMs: number,
): SeenLease {
  const isSame = before !== undefined && before.version === found.version;
  return isSame ? before : { ...found, sinceMs: nowMs };
}

/**
 * @param identity who asks. What another process of the same data directory holds is not his: it may be one of a copy
 * @param nowMs monotonic
 * @param wallMs Unix ms, for what is written
 */
export function decideLease(
  { lease, sinceMs }: SeenLease,
  identity: string,
  nowMs: number,
  wallMs: number,
): LeaseDecision {
  const { durationMs } = leaseTimes;
  const fresh = { holder: identity, durationMs, acquiredMs: wallMs, renewedMs: wallMs };
  if (lease === undefined) return { kind: "create", next: { ...fresh, transitions: 0 } };
  const { holder, acquiredMs, transitions } = lease;
  if (holder === identity) {
    return { kind: "renew", next: { ...fresh, acquiredMs, transitions } };
  }
  const untilMs = sinceMs + lease.durationMs;
  if (holder !== "" && nowMs < untilMs) return { kind: "wait", holder, untilMs };
  return { kind: "take", next: { ...fresh, transitions: transitions + 1 } };
}

/** For whoever comes next: he need not wait. */
export function givenBack(lease: Lease, wallMs: number): Lease {
  return { ...lease, holder: "", durationMs: 1_000, renewedMs: wallMs };
}

/**
 * Whether its holder may go on.
 * @param renewedMs when the request was sent that renewed it last; monotonic
 */
export function isLeaseHeld(renewedMs: number | undefined, nowMs: number): boolean {
  // Written so that a clock that reads NaN ends it.
  return renewedMs !== undefined && nowMs < renewedMs + leaseTimes.renewDeadlineMs;
}

/** @param instance of the process: random */
export function leaseHolder(host: string, writer: string, instance: string): string {
  return `${host}_${writer}_${instance}`;
}
