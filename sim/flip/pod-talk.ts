/** A simulated pod on its mesh stream: what its agent says of policy, and of connections, and when. */

import type { OldConnections } from "../../src/core/policy/policy-report.ts";
import { drainingOf } from "../../src/app/agent/policy/draining.ts";
import type { SimAgent } from "../policy/agent.ts";
import { SimStream, type SimReport } from "../policy/stream.ts";
import type { Link } from "./link.ts";
import { PodReports, type Reporting, type ReportsSurroundings } from "./pod-reports.ts";

export interface SaidPolicy {
  readonly report: SimReport;
  readonly draining: ReadonlyMap<number, number>;
  readonly oldConnections: OldConnections;
}

export interface TalkSurroundings extends ReportsSurroundings {
  /** On the stream. */
  readonly sayPolicy: (link: Link, said: SaidPolicy) => void;
}

/** As it is now. */
export interface Talking extends Reporting {
  readonly agent: SimAgent;
}

export class PodTalk {
  readonly #around: TalkSurroundings;
  readonly #pod: Talking;
  /** Undefined while there is none. */
  link: Link | undefined;
  readonly reports: PodReports;
  #saidOld = "";

  constructor(pod: Talking, around: TalkSurroundings) {
    this.#pod = pod;
    this.#around = around;
    this.reports = new PodReports(pod, around);
  }

  begin(link: Link): void {
    const { agent } = this.#pod;
    this.link = link;
    this.#saidOld = "";
    agent.connect(new SimStream(agent.key));
  }

  /** It has noticed. */
  end(link: Link): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.reports.end();
    this.#pod.agent.stream = undefined;
  }

  get hasNews(): boolean {
    if (this.link === undefined) return false;
    return this.#pod.agent.hasNews || this.#saidOld !== this.#old().text;
  }

  say(): void {
    const { link } = this;
    const { agent } = this.#pod;
    agent.report();
    const report = agent.stream?.up.pop();
    if (report === undefined || link === undefined) return;
    const { text, draining, oldConnections } = this.#old();
    this.#saidOld = text;
    this.#around.sayPolicy(link, { report, draining, oldConnections });
  }

  #old() {
    const { observed, refusing } = this.#pod.connections;
    const { open = new Map<number, number>(), isProven = false } =
      observed === undefined ? {} : drainingOf(observed, refusing);
    const oldConnections: OldConnections =
      observed === undefined ? "unobserved" : isProven ? "gone" : "unproven";
    return { draining: open, oldConnections, text: `${oldConnections} ${[...open].join(" ")}` };
  }
}
