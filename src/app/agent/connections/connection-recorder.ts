/** What the connections to the ports of one Envoy were, and for which time that is all, until it is reported. */

import { ConnectionTally } from "../../../core/evidence/connection-tally.ts";
import type { ProxyConnections } from "../../../core/evidence/connection.ts";
import type { CountedCoverage } from "../../../core/evidence/port-account.ts";
import type { Flush } from "../policy/draining.ts";
import type { FlushStream } from "../policy/draining-feed.ts";
import type { PolicyProxyName } from "../policy/policy-feed.ts";
import type { AccessLogEntry } from "./access-log-entry.ts";
import { AccountedEnvoy } from "./accounted-envoy.ts";
import { ConnectionLives, type CoveredLife } from "./connection-lives.ts";
import type { HostClocks } from "./host-clock.ts";
import { countsOf } from "./connection-stats.ts";
import { StreamHolds } from "./stream-holds.ts";
import { loggedConnection } from "./told-connection.ts";

export interface LogStream {
  readonly take: (entries: readonly AccessLogEntry[]) => void;
  readonly close: () => void;
}

interface OpenLog {
  /** It has begun while no stream of counters was there, and none has come since. */
  isOfNext: boolean;
}

export interface RecorderOptions extends HostClocks {
  readonly name: PolicyProxyName;
  /** Somebody waits to be told of who was not known before. */
  readonly onNew: () => void;
  /** Nobody tells of it any more. */
  readonly onOver: () => void;
  /** What is said of it, in the light of what another life of the agent has said. */
  readonly goOn: (life: CoveredLife) => CoveredLife;
}

/** With what this agent needs besides to go on in another life. */
export interface CountedConnections extends ProxyConnections {
  readonly coverage: readonly CountedCoverage[];
}

export class ConnectionRecorder {
  readonly #options: RecorderOptions;
  readonly #tally = new ConnectionTally();
  readonly #lives = new ConnectionLives();
  readonly #envoy: AccountedEnvoy;
  #epochMs: number | undefined;
  /** Those that it listens on by what it has acknowledged; undefined before. */
  #ports: ReadonlySet<number> | undefined;
  readonly #streams: StreamHolds;
  readonly #flushStreams: StreamHolds;
  /** Of its access log, those that are open. */
  readonly #logs = new Set<OpenLog>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#envoy = new AccountedEnvoy({
      nowMs: options.nowMs,
      monotonicMs: options.monotonicMs,
      onSeen: (seen) => this.#tally.add(seen),
      onCovered: (life) => this.#add(life),
    });
    this.#streams = new StreamHolds(options.onOver);
    this.#flushStreams = new StreamHolds(() => this.#envoy.doubt());
  }

  /** Nothing is told before the first flush: until then nobody knows of which life of the Envoy it is. */
  get hasNew(): boolean {
    return this.#epochMs !== undefined && this.#tally.hasNew;
  }

  /** A stream of its access log. */
  log(): LogStream {
    const log = { isOfNext: this.#envoy.isDoubtful };
    this.#logs.add(log);
    const take = (entries: readonly AccessLogEntry[]): void => {
      for (const entry of entries) {
        const connection = loggedConnection(entry);
        if (connection !== undefined) this.#envoy.log(connection, log.isOfNext);
      }
      if (this.hasNew) this.#options.onNew();
    };
    const letGo = this.hold();
    const close = (): void => {
      this.#logs.delete(log);
      letGo();
    };
    return { take, close };
  }

  /** A stream of its counters. */
  flushes(): FlushStream {
    const closes = [this.#flushStreams.hold(), this.hold()];
    const close = (): void => closes.forEach((each) => each());
    return { flush: (flush) => this.#flush(flush), close };
  }

  /** It has acknowledged that it listens on these, and on no others. */
  listens(ports: ReadonlySet<number>): void {
    this.#cover();
    this.#ports = ports;
  }

  /** Somebody may tell of it. @returns what says that he does no more */
  hold(): () => void {
    return this.#streams.hold();
  }

  /** Nothing more will come of this life. */
  end(): void {
    this.#envoy.end();
  }

  /** Since the last time. Who was seen in any life comes first, with the oldest: so none is covered before its callers are told. */
  take(): CountedConnections[] {
    this.#cover();
    const newestMs = this.#epochMs;
    if (newestMs === undefined) return [];
    const seen = this.#tally.take(this.#options.nowMs());
    const lives = this.#lives.take();
    if (seen.length > 0 && lives.length === 0) lives.push({ epochMs: newestMs, coverage: [] });
    return lives.map(({ epochMs, coverage }, at) => {
      return { ...this.#options.name, epochMs, seen: at === 0 ? seen : [], coverage };
    });
  }

  /** It was taken, and is to be told again. */
  putBack({ epochMs, seen, coverage }: CountedConnections): void {
    for (const each of seen) this.#tally.add(each);
    this.#lives.add({ epochMs, coverage });
  }

  #flush(flush: Flush): void {
    const counts = countsOf(flush, this.#ports);
    if (counts === undefined) return;
    const logs = [...this.#logs];
    const goesOn = logs.some(({ isOfNext }) => !isOfNext);
    this.#envoy.flush(counts, goesOn);
    for (const each of logs) each.isOfNext = false;
    this.#epochMs ??= this.#cover();
    if (this.hasNew) this.#options.onNew();
  }

  #cover(): number | undefined {
    const covered = this.#envoy.cover();
    return covered && this.#add(covered);
  }

  /** @returns when that life began */
  #add({ epochMs, coverage }: CoveredLife): number {
    // What does not listen there any more says nothing of who comes there.
    const listened = coverage.filter(({ port }) => this.#ports?.has(port) !== false);
    const life = this.#options.goOn({ epochMs, coverage: listened });
    this.#epochMs = life.epochMs;
    this.#lives.add(life);
    return life.epochMs;
  }
}
