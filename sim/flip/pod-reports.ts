/** When a simulated pod's agent tells of connections: it takes the steps of `connection-reports.ts`, and must be changed with them. */

import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import type { AgentConnections } from "./agent-connections.ts";
import type { Link } from "./link.ts";
import type { Timeline } from "./timeline.ts";

/** As they are now. */
export interface Reporting {
  readonly isAlive: boolean;
  readonly connections: AgentConnections;
  /** The server has acknowledged more. */
  onAcknowledged(): void;
}

export interface ReportsSurroundings {
  readonly timeline: Timeline;
  readonly sayConnections: (link: Link, report: ConnectionReport) => void;
}

const newPauseMs = 100;
const againMs = 30_000;

export class PodReports {
  readonly #pod: Reporting;
  readonly #around: ReportsSurroundings;
  #link: Link | undefined;
  #everyMs = Infinity;
  #dueMs = Infinity;

  constructor(pod: Reporting, around: ReportsSurroundings) {
    this.#pod = pod;
    this.#around = around;
  }

  /** The server has asked on this stream, for the first time or once more. */
  begin(link: Link, everyMs: number): void {
    this.#link = link;
    this.#everyMs = everyMs;
    this.#tell();
  }

  /** There is somebody who was not known. */
  soon(): void {
    if (this.#pod.connections.reporter.unacknowledged === undefined) this.#tellIn(newPauseMs);
  }

  acknowledged(ack: ConnectionAck): void {
    const { reporter, feed } = this.#pod.connections;
    if (!this.#pod.isAlive || !reporter.acknowledged(ack)) return;
    this.#dueMs = Infinity;
    this.#pod.onAcknowledged();
    if (reporter.isInTheMiddle) this.#tell();
    else this.#tellIn(feed.hasNew ? newPauseMs : this.#everyMs);
  }

  end(): void {
    this.#link = undefined;
    this.#dueMs = Infinity;
  }

  #tell(): void {
    this.#dueMs = Infinity;
    const link = this.#link;
    if (link === undefined || !this.#pod.isAlive) return;
    const { reporter } = this.#pod.connections;
    const report = reporter.unacknowledged ?? reporter.next();
    if (report !== undefined) this.#around.sayConnections(link, report);
    this.#tellIn(report === undefined ? this.#everyMs : againMs);
  }

  #tellIn(delayMs: number): void {
    const { timeline } = this.#around;
    const atMs = timeline.nowMs + delayMs;
    if (this.#link === undefined || atMs >= this.#dueMs) return;
    this.#dueMs = atMs;
    const { connections } = this.#pod;
    timeline.at(atMs, () => {
      if (this.#dueMs === atMs && this.#pod.connections === connections) this.#tell();
    });
  }
}
