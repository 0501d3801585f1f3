/** What a simulated pod's agent has on its disk of connections, and each of its lives with it. */

import { AgentConnections } from "./agent-connections.ts";
import type { Timeline } from "./timeline.ts";

export interface MemoryOf {
  readonly timeline: Timeline;
  readonly proxyId: string;
  readonly hostMs: () => number;
}

/** An agent writes by and by. */
const writeMs = 200;

export class PodMemory {
  readonly #of: MemoryOf;
  /** What the server has acknowledged. */
  #stored: AgentConnections["acknowledgedLives"] = [];
  #runs = 0;

  constructor(of: MemoryOf) {
    this.#of = of;
  }

  /** Another life of the agent. */
  begin(): AgentConnections {
    const { proxyId, hostMs } = this.#of;
    const runId = `${proxyId}-${this.#runs++}`;
    return new AgentConnections({ proxyId, runId, hostMs, stored: this.#stored });
  }

  /** @param isThere it has not ended before it was written */
  keep(connections: AgentConnections, isThere: () => boolean): void {
    this.#of.timeline.after(writeMs, () => {
      if (isThere()) this.#stored = connections.acknowledgedLives;
    });
  }

  forget(): void {
    this.#stored = [];
  }
}
