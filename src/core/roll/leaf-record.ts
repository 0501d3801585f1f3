/** A certificate of a workload, or a canary, that may be in use, as the log knows it. */

export interface LeafRecord {
  readonly identity: string;
  /** The id of the agent that asked for it, as it said; "" for none. */
  readonly agent: string;
  /** The name of the pod whose token it was issued on; none where the proof named no pod. */
  readonly pod?: string;
  /** Lower-case hex. */
  readonly serialHex: string;
  readonly notAfterMs: number;
  /** SHA-256 of the root that it hangs on, lower-case hex; "" where the log does not say it. */
  readonly root: string;
  /** Of its intent in the log. */
  readonly intentIndex: number;
  /** All but `signed` are perhaps signed, and perhaps not. One that has failed is no certificate. */
  readonly outcome: "signed" | "unknown" | "open";
  /** Made to be shown to listeners of ours: it hangs on its root, and who has it verifies nobody with it. */
  readonly isCanary?: true;
}

/** No certificate lives longer (design 4.5), whatever a report says. */
export const longestLifeMs: number = 90 * 86_400_000;

/** No agent's clock is believed to be further off: a claim must not hold a gate for ever. */
export const skewMaxMs: number = 3_600_000;

/** The last second counts as a whole (RFC 5280 4.1.2.5). */
const lastSecondMs = 1_000;

/**
 * When nobody can use a certificate any more, by whatever clock.
 * @param skewMs the greatest difference of clocks that was seen
 */
export function endOf(notAfterMs: number, skewMs: number): number {
  return notAfterMs + lastSecondMs + skewMs;
}
