/** Connections as one life of an agent hears of them from its Envoy, until the server has acknowledged that it knows them. */

import { AcknowledgedLives } from "../../src/app/agent/connections/acknowledged-lives.ts";
import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import type { LogStream } from "../../src/app/agent/connections/connection-recorder.ts";
import { ConnectionReporter } from "../../src/app/agent/connections/connection-reporter.ts";
import type { Flush, Flushes } from "../../src/app/agent/policy/draining.ts";
import type { FlushStream } from "../../src/app/agent/policy/draining-feed.ts";

export interface AgentConnectionsOptions {
  readonly proxyId: string;
  readonly runId: string;
  readonly hostMs: () => number;
  /** What another life of the agent has on its disk. */
  readonly stored: AcknowledgedLives["all"];
}

export class AgentConnections {
  readonly feed: ConnectionFeed;
  readonly reporter: ConnectionReporter;
  readonly #lives: AcknowledgedLives;
  readonly #name: { readonly proxyId: string; readonly spiffeId: undefined };
  readonly #hostMs: () => number;
  #log: LogStream | undefined;
  #flushes: FlushStream | undefined;
  #listening: ReturnType<ConnectionFeed["listening"]> | undefined;
  /** The newest of this stream of counters, and the one before. */
  observed: Flushes | undefined;
  /** Ports that take no plaintext by what was acknowledged, each since when. */
  refusing: ReadonlyMap<number, number> = new Map();

  constructor({ proxyId, runId, hostMs, stored }: AgentConnectionsOptions) {
    this.#name = { proxyId, spiffeId: undefined };
    this.#hostMs = hostMs;
    const lives = new AcknowledgedLives(stored);
    this.#lives = lives;
    this.feed = new ConnectionFeed({ nowMs: hostMs, resumed: (key) => lives.resumed(key) });
    const onAcknowledged: AcknowledgedLives["acknowledged"] = (all) => lives.acknowledged(all);
    this.reporter = new ConnectionReporter({ feed: this.feed, runId, onAcknowledged });
  }

  /** What the server has acknowledged, as it is written to the disk. */
  get acknowledgedLives(): AcknowledgedLives["all"] {
    return this.#lives.all;
  }

  /** Envoy dials: an ADS stream, and those of its log and its counters. */
  attach(): void {
    this.#listening ??= this.feed.listening(this.#name);
    this.openLog();
    this.openCounters();
  }

  /** Envoy has ended. */
  detach(): void {
    this.closeLog();
    this.closeCounters();
    this.#listening?.close();
    this.#listening = undefined;
    this.refusing = new Map();
  }

  get hasLog(): boolean {
    return this.#log !== undefined;
  }

  openLog(): void {
    if (this.#listening !== undefined) this.#log ??= this.feed.log(this.#name);
  }

  closeLog(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  openCounters(): void {
    if (this.#listening !== undefined) this.#flushes ??= this.feed.observe(this.#name);
  }

  closeCounters(): void {
    this.#flushes?.close();
    this.#flushes = undefined;
    this.observed = undefined;
  }

  /** @param log the one on which it was sent */
  logged(entry: AccessLogEntry, log: LogStream | undefined): void {
    if (log !== undefined && log === this.#log) log.take([entry]);
  }

  get logStream(): LogStream | undefined {
    return this.#log;
  }

  get countersStream(): FlushStream | undefined {
    return this.#flushes;
  }

  flushed(flush: Flush, flushes: FlushStream | undefined): void {
    if (flushes === undefined || flushes !== this.#flushes) return;
    flushes.flush(flush);
    this.observed = { before: this.observed?.newest, newest: flush };
  }

  /** Envoy has acknowledged that it listens on these, and that some of them take no plaintext. */
  acknowledged(ports: ReadonlySet<number>, refusing: ReadonlySet<number>): void {
    this.#listening?.listens(ports);
    const nowMs = this.#hostMs();
    const since = (port: number): number => this.refusing.get(port) ?? nowMs;
    this.refusing = new Map(Array.from(refusing, (port) => [port, since(port)]));
  }

  /** Envoy may take a part of what it is given: from now on such a port may be another. */
  given(refusing: ReadonlySet<number>): void {
    const still = Array.from(this.refusing).filter(([port]) => refusing.has(port));
    this.refusing = new Map(still);
  }
}
