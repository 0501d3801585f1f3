/** What has really happened in a simulated mesh, whoever was told of it: calls that a strict port refuses, and who had which address when. */

import type { Call, CallOutcome } from "./call.ts";

export interface TrueCall extends Pick<Call, "address" | "port" | "kind"> {
  /** Name of the pod that was called. */
  readonly pod: string;
  /** Of the workload that called; "" for one that nobody knows. */
  readonly by: string;
  readonly outcome: CallOutcome;
  readonly beganMs: number;
  /** Undefined while it is open. */
  endedMs: number | undefined;
  /** Nobody was told that it has ended. */
  isEndLost: boolean;
  /** An agent that begins in the middle of it, or has lost sight of it, tells of it once more. */
  tellings: number;
}

interface Held {
  readonly address: string;
  readonly workload: string;
  readonly sinceMs: number;
  untilMs: number;
}

/** Of clocks, as address histories allow for. */
const skewMs = 2_500;
const doubtMs = 8_000;

export class Truth {
  readonly calls: TrueCall[] = [];
  readonly #held: Held[] = [];
  /** By pod: until when its agent may lose sight of what is open. */
  readonly #doubtful = new Map<string, number>();

  called(call: Omit<TrueCall, "tellings" | "isEndLost">): TrueCall {
    const isDoubtful = call.beganMs < (this.#doubtful.get(call.pod) ?? 0);
    const called = { ...call, isEndLost: false, tellings: isDoubtful ? 2 : 1 };
    this.calls.push(called);
    return called;
  }

  /** Its agent begins, or has not heard of something. */
  mayTellAgain(pod: string, nowMs: number): void {
    this.#doubtful.set(pod, nowMs + doubtMs);
    for (const call of this.calls) {
      if (call.pod === pod && call.endedMs === undefined) call.tellings += 1;
    }
  }

  /** By the configuration. */
  holds(workload: string, address: string | undefined, nowMs: number): void {
    const last = this.#held.findLast((each) => each.workload === workload);
    if (last !== undefined && last.untilMs === Infinity) {
      if (last.address === address) return;
      last.untilMs = nowMs;
    }
    if (address !== undefined)
      this.#held.push({ address, workload, sinceMs: nowMs, untilMs: Infinity });
  }

  /** Infinity: it never was. */
  configuredSinceMs(workload: string): number {
    return this.#held.find((each) => each.workload === workload)?.sinceMs ?? Infinity;
  }

  /** What a call may be known by: its address, and whose that was; of several the caller, where it had that for all of the call. */
  namesOf({ address, by, beganMs, endedMs = Infinity }: TrueCall): ReadonlySet<string> {
    const isHolder = this.#held.some(
      (each) =>
        each.workload === by &&
        each.address === address &&
        each.sinceMs <= beganMs &&
        each.untilMs >= endedMs,
    );
    return new Set([address, ...(isHolder ? [by] : this.holders(address, beganMs, endedMs))]);
  }

  /** Workloads that have held an address at any time between. */
  holders(address: string, fromMs: number, toMs: number): readonly string[] {
    const all = this.#held.filter(
      (each) =>
        each.address === address &&
        each.sinceMs <= toMs + skewMs &&
        each.untilMs >= fromMs - skewMs,
    );
    return [...new Set(all.map(({ workload }) => workload))];
  }
}
