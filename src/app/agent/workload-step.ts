/**
 * What a workload of a node agent needs next, by its state and the time alone. Evidence of who it is is never older than
 * its token: when that has expired, nothing is served on it any more.
 */

export interface WorkloadState {
  readonly streams: number;
  /** When its last stream closed, or when it came. */
  readonly idleSinceMs: number;
  readonly isAsking: boolean;
  /** How often the server has put it off since it signed last. */
  readonly attempts: number;
  readonly retryAtMs: number;
  /** Undefined until the server has believed the token. */
  readonly held: { readonly renewAtMs: number; readonly tokenExpiresAtMs: number } | undefined;
}

export type WorkloadStep =
  | { readonly kind: "expire" }
  | { readonly kind: "forget" }
  | { readonly kind: "ask" }
  | { readonly kind: "wait"; readonly untilMs: number };

/** Longer than any proxy waits before it comes back: Envoy's longest back-off is 30 s. */
export const idleMsMax = 60_000;

export function decideWorkloadStep(state: WorkloadState, nowMs: number): WorkloadStep {
  const { streams, idleSinceMs, isAsking, attempts, retryAtMs, held } = state;
  const expiresAtMs = held?.tokenExpiresAtMs ?? Infinity;
  if (nowMs >= expiresAtMs) return { kind: "expire" };
  const forgetAtMs = streams === 0 ? idleSinceMs + idleMsMax : Infinity;
  if (nowMs >= forgetAtMs) return { kind: "forget" };
  // Whoever has only fetched has its question asked once.
  const isWanted = streams > 0 || (held === undefined && attempts === 0);
  const askAtMs = isWanted && !isAsking ? Math.max(retryAtMs, held?.renewAtMs ?? 0) : Infinity;
  if (nowMs >= askAtMs) return { kind: "ask" };
  return { kind: "wait", untilMs: Math.min(expiresAtMs, forgetAtMs, askAtMs) };
}
