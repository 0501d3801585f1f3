/** How far behind the watches that decide are, and so how tokens are checked now. */

import {
  currentUntilMs,
  effectiveMode,
  type TokenCheck,
  type WatchMoments,
} from "../../../core/kube/who/effective-mode.ts";

export interface FreshnessOptions {
  readonly configured: TokenCheck;
  readonly limitMs: number;
  /** Of the caches that decide. */
  readonly moments: () => readonly WatchMoments[];
  /** When the last question began that the API server answered. */
  readonly aliveMs: () => number | undefined;
  /** Monotonic, the watches'. */
  readonly nowMs: () => number;
  readonly onMode: (mode: TokenCheck, staleMs: number | undefined) => void;
}

/** Asked for each token: so long an answer is as good as a new one. */
const lookMs = 20;

export class Freshness {
  readonly #options: FreshnessOptions;
  #mode: TokenCheck;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#mode = options.configured === "watched" ? "review" : options.configured;
  }

  get mode(): TokenCheck {
    const nowMs = this.#options.nowMs();
    if (!(nowMs - this.#lookedMs < lookMs)) this.#look(nowMs);
    return this.#mode;
  }

  get staleMs(): number | undefined {
    const ages = this.#options.moments().map((moments) => this.ageOf(moments));
    // One that was never filled says nothing of anybody.
    return ages.reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.max(a, b)));
  }

  get isCurrent(): boolean {
    const staleMs = this.staleMs;
    return staleMs !== undefined && staleMs <= this.#options.limitMs;
  }

  ageOf(moments: WatchMoments): number | undefined {
    const { nowMs, aliveMs } = this.#options;
    const untilMs = currentUntilMs(moments, aliveMs());
    return untilMs === undefined ? undefined : Math.max(0, nowMs() - untilMs);
  }

  #look(nowMs: number): void {
    const { configured, limitMs, onMode } = this.#options;
    this.#lookedMs = nowMs;
    const staleMs = this.staleMs;
    const mode = effectiveMode(configured, this.#mode, staleMs, limitMs);
    if (mode === this.#mode) return;
    this.#mode = mode;
    onMode(mode, staleMs);
  }
}
