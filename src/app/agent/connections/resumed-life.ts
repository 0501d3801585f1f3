/**
 * An agent that was started again goes on where the one before it was acknowledged: what Envoy has counted since, and nobody was told of, is
 * lost. So a restart is no gap where nothing was called meanwhile, and is told for what it is where something was. Pure.
 */

import type { CountedCoverage } from "../../../core/evidence/port-account.ts";
import { forwardMsMax } from "../../../core/evidence/connection-clock.ts";
import type { CoveredLife } from "./connection-lives.ts";

/** Of a port, as it was acknowledged last. */
export interface AcknowledgedPort {
  readonly port: number;
  readonly untilMs: number;
  /** Connections without mTLS that had ended by then, by Envoy's counters. */
  readonly ended: number;
  /** And those with it; undefined where that is not known. */
  readonly endedMeshed?: number;
}

export interface AcknowledgedLife {
  readonly epochMs: number;
  readonly ports: readonly AcknowledgedPort[];
  /** `clockOffsetMs` then; undefined where that is not known. */
  readonly offsetMs?: number;
}

/** Envoy tells its age in whole seconds. */
const epochSlackMs = 2_000;

export class ResumedLife {
  readonly #epochMs: number;
  readonly #offsetMs: number | undefined;
  /** Those that have not been gone on with. */
  readonly #ports: Map<number, AcknowledgedPort>;

  constructor({ epochMs, ports, offsetMs }: AcknowledgedLife) {
    this.#epochMs = epochMs;
    this.#offsetMs = offsetMs;
    this.#ports = new Map(ports.map((each) => [each.port, each]));
  }

  /** What is said of it now, as what goes on; another life is left as it is. @param offsetMs `clockOffsetMs` */
  goOn(life: CoveredLife, offsetMs?: number): CoveredLife {
    if (Math.abs(life.epochMs - this.#epochMs) > epochSlackMs) return life;
    const isClockSet =
      offsetMs !== undefined &&
      this.#offsetMs !== undefined &&
      offsetMs - this.#offsetMs > forwardMsMax;
    return {
      epochMs: this.#epochMs,
      coverage: life.coverage.map((span) => this.#goOn(span, isClockSet)),
    };
  }

  #goOn(now: CountedCoverage, isClockSet: boolean): CountedCoverage {
    const before = this.#ports.get(now.port);
    this.#ports.delete(now.port);
    if (before === undefined) return now;
    const { endedMeshed = now.meshedAtSince } = before;
    const meshed = Math.max(0, now.meshedAtSince - endedMeshed);
    const counted = now.endedAtSince - before.ended;
    const unmeshed = Math.max(0, counted);
    const span = {
      ...now,
      lostMeshed: now.lostMeshed + meshed,
      lostUnmeshed: now.lostUnmeshed + unmeshed,
    };
    // It covers the time by itself, or the clock was set back over it; or the clock has passed over some of it; or its listener or a chain
    // has gone and come back, and what it had counted by then is not known.
    if (before.untilMs >= now.sinceMs || isClockSet || counted < 0) return span;
    return {
      ...span,
      sinceMs: before.untilMs,
      endedAtSince: before.ended,
      meshedAtSince: endedMeshed,
    };
  }
}
