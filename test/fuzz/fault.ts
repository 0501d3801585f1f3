/** What is wrong with how a target takes an input, and the smallest input that shows the same. */

import { INPUT_MS_MAX, type FuzzTarget } from "./target.ts";

/** The first time is slow for the compiler's sake, and garbage is collected at any time; a bad input is slow each time. */
const SLOW_TRIES = 3;
/** Of each fault; smaller is convenient, not necessary. */
const SHRINK_TRIES = 2_000;

export interface Fault {
  /** Equal where two inputs show the same fault. */
  readonly site: string;
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** @param cpuMs of this thread, so that a crowded machine makes nothing slow */
export function faultOf(
  target: FuzzTarget,
  input: Uint8Array,
  cpuMs: () => number,
): Fault | "accepted" | "refused" {
  const { msMax = INPUT_MS_MAX } = target;
  let fastestMs = Infinity;
  let isAccepted = false;
  for (let tries = 0; tries < SLOW_TRIES && fastestMs > msMax; tries++) {
    const startMs = cpuMs();
    try {
      // A copy: whoever writes into his input spoils no corpus.
      isAccepted = target.check(Uint8Array.from(input));
    } catch (error) {
      return { site: siteOf(error), input, error };
    }
    fastestMs = Math.min(fastestMs, cpuMs() - startMs);
  }
  if (fastestMs <= msMax) return isAccepted ? "accepted" : "refused";
  const message = `expected at most ${msMax} ms for an input, took ${Math.round(fastestMs)}`;
  return { site: "slow", input, error: new Error(message) };
}

/** Leaves out ever smaller parts, as long as the fault stays the same one. */
export function shrink(target: FuzzTarget, fault: Fault, cpuMs: () => number): Fault {
  let [smallest, tries] = [fault, 0];
  // What is slow is slow to try.
  const triesMax = fault.site === "slow" ? 20 : SHRINK_TRIES;
  for (let size = fault.input.length >> 1; size > 0 && tries < triesMax; size >>= 1) {
    for (let at = 0; at < smallest.input.length && tries < triesMax; tries++) {
      const rest = [smallest.input.subarray(0, at), smallest.input.subarray(at + size)];
      const outcome = faultOf(target, Uint8Array.from(Buffer.concat(rest)), cpuMs);
      if (typeof outcome !== "string" && outcome.site === fault.site) smallest = outcome;
      else at += size;
    }
  }
  return smallest;
}

/** The name, the message without what is of the input, and the first place of ours. */
function siteOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [place = ""] = /\/(?:src|test)\/[^\s)]+:\d+/.exec(error.stack ?? "") ?? [];
  const [sentence = ""] = error.message.split(/[\n"]/, 1);
  return `${error.name} ${sentence.replaceAll(/\d+/g, "N").slice(0, 80)} ${place}`;
}

export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
