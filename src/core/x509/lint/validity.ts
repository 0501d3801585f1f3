/** When a leaf counts. That it ends after it begins follows from the first two. */

import type { LeafContext, Lint } from "./lint.ts";

/** Design 4.5, and a second for the fraction that X.509 has not. */
const BACKDATE_MS_MAX = 121_000;

export const validityLints: readonly Lint<LeafContext>[] = [
  {
    name: "not-over",
    source: "our profile; zlint validity_time_not_positive",
    holds: ({ tbs }, { nowMs }) => tbs.notAfterMs > nowMs,
  },
  {
    name: "begun",
    source: "our profile: it is of use when it comes",
    holds: ({ tbs }, { nowMs }) => tbs.notBeforeMs <= nowMs,
  },
  {
    name: "backdate-bounded",
    source: "our profile: two minutes",
    holds: ({ tbs }, { nowMs }) => nowMs - tbs.notBeforeMs < BACKDATE_MS_MAX,
  },
  {
    name: "lifetime-bounded",
    source: "our profile: the longest that is configured",
    holds: ({ tbs }, { nowMs, lifetimeMaxSeconds }) =>
      tbs.notAfterMs - nowMs <= lifetimeMaxSeconds * 1_000,
  },
  {
    name: "ends-within-issuer",
    source: "RFC 5280 6.1.3: no path outlives a certificate of it",
    holds: ({ tbs }, { issuer }) => tbs.notAfterMs <= issuer.notAfterMs,
  },
];
