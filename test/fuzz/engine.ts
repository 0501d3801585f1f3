/** The loop: an input of the corpus is damaged and tried; what runs new code is kept, and a fault is made small and told. */

import type { Random } from "../support/mutate.ts";
import { faultOf, shrink, type Fault } from "./fault.ts";
import { damage } from "./mutator.ts";
import type { FuzzTarget } from "./target.ts";

const BATCH = 250;

export interface FuzzOptions {
  readonly target: FuzzTarget;
  readonly corpus: readonly Uint8Array[];
  readonly random: Random;
  /** Milliseconds; never goes back. */
  readonly now: () => number;
  /** Of this thread; by it an input is slow. */
  readonly cpuMs: () => number;
  readonly endMs: number;
  /** Without it nothing is kept. */
  readonly coverage?: { hasNew(remember: boolean): boolean };
  /** Before each try, so that whoever watches knows what hangs. */
  readonly onInput?: (input: Uint8Array) => void;
  /** Once for each place. */
  readonly onFault: (fault: Fault) => void;
}

export interface FuzzSummary {
  readonly runs: number;
  readonly accepted: number;
  /** Inputs that ran new code, beside the corpus. */
  readonly kept: readonly Uint8Array[];
}

export function fuzz(options: FuzzOptions): FuzzSummary {
  const { target, corpus, random, now, cpuMs, endMs, coverage, onInput, onFault } = options;
  const pool = [...corpus];
  const sites = new Set<string>();
  let [runs, accepted] = [0, 0];
  const attempt = (input: Uint8Array): void => {
    onInput?.(input);
    runs++;
    const outcome = faultOf(target, input, cpuMs);
    if (outcome === "accepted") accepted++;
    if (typeof outcome === "string" || sites.has(outcome.site)) return;
    sites.add(outcome.site);
    onFault(shrink(target, outcome, cpuMs));
  };
  for (const input of corpus) attempt(input);
  coverage?.hasNew(true);
  while (now() < endMs) {
    const batch = Array.from({ length: BATCH }, () =>
      damage(pick(pool, random), target, pick(pool, random), random),
    );
    for (const input of batch) attempt(input);
    if (coverage?.hasNew(false) !== true) continue;
    // Which of them it was, only each for itself can say.
    for (const input of batch) {
      attempt(input);
      if (coverage.hasNew(true)) pool.push(input);
    }
  }
  return { runs, accepted, kept: pool.slice(corpus.length) };
}

function pick(pool: readonly Uint8Array[], random: Random): Uint8Array {
  return pool[random(pool.length)] ?? new Uint8Array(0);
}
