/**
 * How far agents' clocks were seen to be off, over restarts: whoever is away may come back with such a clock, and a gate that
 * waits for its certificate to expire must wait by that one.
 */

import { longestLifeMs, skewMaxMs } from "../../../core/roll/leaf-record.ts";

export interface SeenSkewDependencies {
  readonly recall: () => string | undefined;
  /** Durable when it returns. */
  readonly remember: (text: string) => void;
  /** It counts until the server ends, all the same. */
  readonly onFailed: (error: unknown) => void;
  readonly nowMs: () => number;
}

interface Seen {
  /** A multiple of a second, so that it is seldom written. */
  readonly skewMs: number;
  readonly atMs: number;
}

const stepMs = 1_000;
/** One that goes on is written again so often. */
const againMs = 86_400_000;

export class SeenSkew {
  readonly #dependencies: SeenSkewDependencies;
  #seen: Seen;

  constructor(dependencies: SeenSkewDependencies) {
    this.#dependencies = dependencies;
    this.#seen = parse(dependencies.recall());
  }

  get skewMs(): number {
    return this.#isOver() ? 0 : this.#seen.skewMs;
  }

  /** Of an agent's Hello. Never throws. */
  saw(differenceMs: number): void {
    const skewMs = Math.min(Math.ceil(Math.abs(differenceMs) / stepMs) * stepMs, skewMaxMs);
    const atMs = this.#dependencies.nowMs();
    const isNews = skewMs > this.skewMs || (skewMs === this.skewMs && this.#isOld(atMs));
    if (!isNews) return;
    this.#seen = { skewMs, atMs };
    try {
      this.#dependencies.remember(`${skewMs} ${Math.floor(atMs)}`);
    } catch (error) {
      this.#dependencies.onFailed(error);
    }
  }

  #isOld(nowMs: number): boolean {
    return Math.abs(nowMs - this.#seen.atMs) >= againMs;
  }

  #isOver(): boolean {
    // No certificate that was in use when it was seen is valid after so long, whatever is configured since. By a clock that was set forward and back it is kept too long, and never not at all.
    return this.#dependencies.nowMs() - this.#seen.atMs > longestLifeMs + againMs + skewMaxMs;
  }
}

function parse(text: string | undefined): Seen {
  const [, skewMs, atMs] = /^(\d{1,9}) (\d{1,15})$/.exec(text ?? "") ?? [];
  return { skewMs: Number(skewMs ?? 0), atMs: Number(atMs ?? 0) };
}
