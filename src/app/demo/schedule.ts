/** When what is killed: the demo's only randomness of its own, replayable by its seed. */

import { workloadNames, type WorkloadName } from "./fact.ts";

/** Milliseconds of traffic, from its start. */
export interface Schedule {
  readonly controlPlaneKillMs: number;
  readonly agentKillMs: number;
  readonly agent: WorkloadName;
}

export const leafSeconds = 30;

/**
 * 40 % of a leaf's life, from the kill until the next process is ready, which is therefore started
 * a little earlier. With renewal at half of it, give or take 5 %, no leaf can
 * run out.
 */
export const outageMs: number = leafSeconds * 1_000 * 0.4;

export const controlPlaneStartMs = 600;

export const agentPauseMs = 1_000;

/**
 * Long enough for two renewals of each workload in the worst case: when the control plane goes just
 * before the second renewal at its latest, that one comes 44 s after the start.
 */
export const trafficMs = 55_000;

export function drawSchedule(seed: number): Schedule {
  const random = randomFrom(seed);
  const between = (fromMs: number, toMs: number): number =>
    Math.round(fromMs + random() * (toMs - fromMs));
  const controlPlaneKillMs = between(3_000, 30_000);
  const agentKillMs = between(3_000, 45_000);
  const agent = workloadNames[Math.floor(random() * workloadNames.length)] ?? "client";
  return { controlPlaneKillMs, agentKillMs, agent };
}

/** Mulberry32: small, and good enough to pick moments. @returns numbers in [0, 1) */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
