/** What a simulated agent hears of its Envoy: its access log and its counters, in their order, or not at all. */

import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import type { Random } from "../run/random.ts";
import type { AgentConnections } from "./agent-connections.ts";
import type { Timeline } from "./timeline.ts";

/** As they are now. */
export interface Listener {
  readonly isAlive: boolean;
  /** It hears what its Envoy tells of connections. */
  readonly hears: boolean;
  readonly hostMs: number;
  readonly connections: AgentConnections;
  /** It has heard something. */
  poke(): void;
}

export interface EarSurroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  /** It does not hear what its Envoy tells of a connection, or may take it for another's. */
  readonly onLost: () => void;
}

export class EnvoyEar {
  readonly #agent: Listener;
  readonly #around: EarSurroundings;
  /** By then all has come that was logged. */
  #toldMs = 0;

  constructor(agent: Listener, around: EarSurroundings) {
    this.#agent = agent;
    this.#around = around;
  }

  logged(entry: AccessLogEntry): void {
    const { timeline, random, onLost } = this.#around;
    const { connections, hears } = this.#agent;
    const log = connections.logStream;
    if (!hears) return onLost();
    this.#toldMs = Math.max(this.#toldMs, timeline.nowMs + random.below(15));
    timeline.at(this.#toldMs, () => {
      if (connections.logStream !== log || !this.#agent.isAlive) onLost();
      this.#hear(() => connections.logged(entry, log));
    });
  }

  flushed(stats: ReadonlyMap<string, number>): void {
    const { timeline, random } = this.#around;
    const { connections, isAlive, hostMs: takenMs } = this.#agent;
    const flushes = connections.countersStream;
    if (!isAlive || flushes === undefined) return;
    timeline.after(1 + random.below(40), () =>
      this.#hear(() => connections.flushed({ takenMs, stats }, flushes)),
    );
  }

  #hear(hear: () => void): void {
    if (!this.#agent.isAlive) return;
    hear();
    this.#agent.poke();
  }
}
