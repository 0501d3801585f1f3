/**
 * Refusals are counted before they are logged, by caller and reason. Whoever can be refused as often as it likes,
 * with one valid token or none, adds a bounded number of entries to the log in each interval, and is still counted in
 * full.
 */

import type { RefusalsEntry } from "./entry.ts";

export interface RefusalTallyLimits {
  /** Pairs of caller and reason that have an entry of their own; after them only reasons are counted. */
  readonly callersMax: number;
  /** Reasons without a caller; after them all is one. */
  readonly reasonsMax: number;
}

/** At most 81 entries for each flush, of about 100 bytes. */
const limitsDefault: RefusalTallyLimits = { callersMax: 64, reasonsMax: 16 };

/** Whoever and whatever there was no room for. */
const OTHER_REASON = "other";
/** The entry has 32 bits for it. */
const countMax = 2 ** 32 - 1;

interface Count {
  readonly caller: string;
  readonly reason: string;
  readonly address: string;
  readonly firstMs: number;
  lastMs: number;
  count: number;
}

export class RefusalTally {
  readonly #limits: RefusalTallyLimits;
  #counts = new Map<string, Count>();
  #callers = 0;
  #reasons = 0;

  constructor(limits: RefusalTallyLimits = limitsDefault) {
    this.#limits = limits;
  }

  /** How many entries a flush would give. */
  get size(): number {
    return this.#counts.size;
  }

  /**
   * @param caller an authenticated identity, or "" for a caller that proved none: never what it only claims
   * @param reason a code of ours
   * @param nowMs log time
   */
  add(caller: string, reason: string, address: string, nowMs: number): void {
    const count = this.#countOf(caller, reason, address, nowMs);
    count.count = Math.min(count.count + 1, countMax);
    count.lastMs = Math.max(count.lastMs, nowMs);
  }

  /** What was counted since the last flush, in the order of first refusals. */
  flush(nowMs: number): RefusalsEntry[] {
    const counts = [...this.#counts.values()];
    this.#counts = new Map();
    this.#callers = 0;
    this.#reasons = 0;
    return counts.map((count) => ({ kind: "refusals", timeMs: nowMs, ...count }));
  }

  #countOf(caller: string, reason: string, address: string, nowMs: number): Count {
    const known = this.#counts.get(keyOf(caller, reason));
    if (known !== undefined) return known;
    if (caller === "") {
      const isOther = reason === OTHER_REASON;
      if (!isOther && this.#reasons >= this.#limits.reasonsMax) {
        return this.#countOf("", OTHER_REASON, address, nowMs);
      }
      if (!isOther) this.#reasons++;
    } else {
      if (this.#callers >= this.#limits.callersMax)
        return this.#countOf("", reason, address, nowMs);
      this.#callers++;
    }
    const count = { caller, reason, address, firstMs: nowMs, lastMs: nowMs, count: 0 };
    this.#counts.set(keyOf(caller, reason), count);
    return count;
  }
}

/** A reason has no space in it. */
function keyOf(caller: string, reason: string): string {
  return `${reason} ${caller}`;
}
