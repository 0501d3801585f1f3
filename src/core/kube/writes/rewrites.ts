/**
 * What somebody else writes again after us. The first times it is repaired at once: a hand, or a tool that has its last word. Beyond that
 * another controller believes that the object is its own, and two that fight at the API server's speed harm everybody: from then on it is
 * repaired seldom, and an operator is told who the other one is.
 */

export interface RewriteLimits {
  /** Repairs of one object within `windowMs` that are made at once. */
  readonly most: number;
  readonly windowMs: number;
  /** Between repairs after that; doubled for each up to `slowMostMs`. */
  readonly slowMs: number;
  readonly slowMostMs: number;
}

export const rewriteLimits: RewriteLimits = {
  most: 5,
  // With thousands of namespaces each has its turn only every few minutes, at the pace of all writes.
  windowMs: 3_600_000,
  slowMs: 60_000,
  slowMostMs: 600_000,
};

interface Account {
  /** What we wrote last, and when. */
  readonly content: string;
  readonly lastMs: number;
  /** Times of the repairs that count. */
  readonly times: readonly number[];
  /** Repairs since it is contested, and one; 0: it is not. */
  readonly slow: number;
}

export class Rewrites {
  readonly #limits: RewriteLimits;
  readonly #accounts = new Map<string, Account>();

  constructor(limits: RewriteLimits = rewriteLimits) {
    this.#limits = limits;
  }

  /** How long a repair is to wait. What we want anew is never delayed. */
  waitMs(key: string, content: string, nowMs: number): number {
    const account = this.#accounts.get(key);
    if (account === undefined || account.content !== content || account.slow === 0) return 0;
    const { slowMs, slowMostMs } = this.#limits;
    const paceMs = Math.min(slowMs * 2 ** Math.min(account.slow - 1, 20), slowMostMs);
    return Math.max(0, account.lastMs + paceMs - nowMs);
  }

  /** @returns whether it is contested from now on, and was not before */
  wrote(key: string, content: string, nowMs: number): boolean {
    const { most, windowMs } = this.#limits;
    const known = this.#accounts.get(key);
    const isRepair = known?.content === content;
    const slow = known === undefined || this.#isQuiet(known, nowMs) ? 0 : known.slow;
    const recent = (known?.times ?? []).filter((each) => nowMs - each < windowMs);
    const times = isRepair ? [...recent, nowMs].slice(-(most + 1)) : recent;
    const isContested = slow > 0 || times.length > most;
    const next = isRepair ? slow + 1 : slow;
    this.#accounts.set(key, { content, lastMs: nowMs, times, slow: isContested ? next : 0 });
    return isContested && slow === 0;
  }

  isContested(key: string, nowMs: number): boolean {
    const account = this.#accounts.get(key);
    return account !== undefined && account.slow > 0 && !this.#isQuiet(account, nowMs);
  }

  /** Contested, and repaired so lately that whoever it is may not have come again yet. */
  isRestless(key: string, nowMs: number): boolean {
    const { lastMs = -Infinity } = this.#accounts.get(key) ?? {};
    return this.isContested(key, nowMs) && nowMs - lastMs < this.#limits.slowMs;
  }

  forget(key: string): void {
    this.#accounts.delete(key);
  }

  /** For twice the longest pause: whoever it was has ended. */
  #isQuiet({ lastMs }: Account, nowMs: number): boolean {
    return nowMs - lastMs > 2 * this.#limits.slowMostMs;
  }
}
