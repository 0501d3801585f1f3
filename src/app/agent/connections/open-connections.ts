/** All of an agent's part in who calls its Envoys, put together. */

import { randomBytes } from "node:crypto";
import type { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { ConnectionFeed } from "./connection-feed.ts";
import { ConnectionReporter } from "./connection-reporter.ts";
import { ConnectionReports } from "./connection-reports.ts";
import { CoverageMemory } from "./coverage-memory.ts";
import { clockOffsetMs, hostMonotonicMs } from "./host-clock.ts";

export interface ConnectionsOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
}

export interface AgentConnections {
  /** From the Envoys. */
  readonly feed: ConnectionFeed;
  /** To the server. */
  readonly reports: ConnectionReports;
  readonly memory: CoverageMemory;
}

const runIdOctets = 16;

export async function openConnections(options: ConnectionsOptions): Promise<AgentConnections> {
  const memory = await CoverageMemory.open(options);
  const clocks = { nowMs: options.nowMs, monotonicMs: hostMonotonicMs };
  const feed = new ConnectionFeed({
    ...clocks,
    resumed: (key) => memory.resumed(key),
  });
  const reporter = new ConnectionReporter({
    feed,
    runId: randomBytes(runIdOctets).toString("hex"),
    onAcknowledged: (connections) => memory.acknowledged(connections, clockOffsetMs(clocks)),
  });
  return { feed, reports: new ConnectionReports(reporter, feed), memory };
}
