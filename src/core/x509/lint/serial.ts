/** That a serial number can be one of 128 random bits. That it is positive and of at most 20 octets the reader holds. */

import type { Lint } from "./lint.ts";

export const serialLints: readonly Lint[] = [
  {
    name: "serial-at-most-128-bits",
    source: "our profile: 16 random octets",
    holds: ({ tbs }) => tbs.serialHex.length <= 32,
  },
  {
    name: "serial-not-a-counter",
    // Of 16 random octets the first eight are zero once in 2^64 times.
    source: "RFC 5280 4.1.2.2: unique; CA/Browser Forum BR 7.1: 64 bits of a CSPRNG at least",
    holds: ({ tbs }) => tbs.serialHex.length > 16,
  },
];
