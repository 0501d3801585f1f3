/**
 * The time that gates go by, and whatever forgets for good: `core/roll/proven-time` decides, this reads the clocks and keeps
 * over restarts what was proven. The log alone would not do: a server whose clock is ahead writes that into it.
 */

import type { ClockReading } from "../../../core/log/log-clock.ts";
import {
  agentsTimeMs,
  gateTimeMs,
  proveTime,
  type AgentClock,
  type ProvenTime,
} from "../../../core/roll/proven-time.ts";

export interface ProvenClockDependencies {
  readonly read: () => ClockReading;
  /** Whether the wall clock has moved as it should since the start. */
  readonly isGood: () => boolean;
  readonly recall: () => string | undefined;
  /** Durable when it returns. */
  readonly remember: (text: string) => void;
  /** It counts until the server ends, all the same. */
  readonly onFailed: (error: unknown) => void;
}

/** As far as a clock may jump while it is looked at. */
const unprovenMsMax = 60_000;
/** Less than this is the way of an agent's message; certificates have whole seconds. */
const listenMs = 1_000;

export class ProvenClock {
  readonly #dependencies: ProvenClockDependencies;
  #time: ProvenTime;
  #isAhead: boolean;
  #agents: () => Iterable<AgentClock> = () => [];

  /** @param newestLogMs of the log's newest entry; undefined for a new log, under which nothing was signed */
  constructor(dependencies: ProvenClockDependencies, newestLogMs: number | undefined) {
    this.#dependencies = dependencies;
    const { wallMs, monotonicMs } = dependencies.read();
    const kept = parse(dependencies.recall());
    this.#isAhead = kept?.isAhead === true;
    const provenMs = kept === undefined ? newestLogMs : newestProven(kept, newestLogMs);
    this.#time = { provenMs: provenMs ?? wallMs, monotonicMs };
    // Before the log gets an entry of that time.
    this.#judge(wallMs);
  }

  /** Those that are connected. */
  listenTo(agents: () => Iterable<AgentClock>): void {
    this.#agents = agents;
  }

  /** Never later than the wall clock. */
  nowMs(): number {
    const reading = this.#dependencies.read();
    const { wallMs } = reading;
    this.#time = proveTime(this.#time, reading, undefined);
    // How far agents' clocks differ from it is of the time before a jump.
    if (!this.#dependencies.isGood()) return gateTimeMs(this.#time, wallMs);
    if (wallMs - this.#time.provenMs > listenMs) {
      this.#time = proveTime(this.#time, reading, agentsTimeMs(this.#agents(), wallMs));
    }
    this.#judge(wallMs);
    return gateTimeMs(this.#time, wallMs);
  }

  /** How far the wall clock is ahead of what is proven, in ms; 0 within what is forgiven. */
  get aheadMs(): number {
    const aheadMs = this.#dependencies.read().wallMs - this.nowMs();
    return aheadMs > unprovenMsMax ? aheadMs : 0;
  }

  /** An operator says that the wall clock is right. */
  accept(): void {
    const { wallMs, monotonicMs } = this.#dependencies.read();
    this.#time = { provenMs: wallMs, monotonicMs };
    this.#isAhead = false;
    this.keep();
  }

  /** Now and then, and at the end: a log in which nothing happens does not say that time goes by. Never throws. */
  keep(): void {
    const provenMs = this.nowMs();
    try {
      this.#dependencies.remember(`${Math.floor(provenMs)} ${this.#isAhead ? "ahead" : "good"}`);
    } catch (error) {
      this.#dependencies.onFailed(error);
    }
  }

  #judge(wallMs: number): void {
    const isAhead = wallMs - this.#time.provenMs > unprovenMsMax;
    if (isAhead === this.#isAhead) return;
    this.#isAhead = isAhead;
    this.keep();
  }
}

interface Kept {
  readonly provenMs: number;
  /** Whether the log was being written by a clock that was ahead of it. */
  readonly isAhead: boolean;
}

function newestProven({ provenMs, isAhead }: Kept, newestLogMs: number | undefined): number {
  return isAhead ? provenMs : Math.max(provenMs, newestLogMs ?? 0);
}

function parse(text: string | undefined): Kept | undefined {
  const [, provenMs, word] = /^(\d{1,16}) (ahead|good)$/.exec(text ?? "") ?? [];
  return provenMs === undefined
    ? undefined
    : { provenMs: Number(provenMs), isAhead: word === "ahead" };
}
