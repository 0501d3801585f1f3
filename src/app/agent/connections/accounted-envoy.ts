/**
 * One Envoy after another of one name: each life's access log against its counters. Both come on streams of their own, and nothing but a
 * flush says of which life it is; so once the counters' stream has ended, what new streams bring waits for the next flush.
 */

import { ConnectionAccount } from "../../../core/evidence/connection-account.ts";
import { ConnectionClock } from "../../../core/evidence/connection-clock.ts";
import type { CountsFlush } from "../../../core/evidence/connection-counts.ts";
import type { SeenConnections } from "../../../core/evidence/connection.ts";
import type { CoveredLife } from "./connection-lives.ts";
import type { HostClocks } from "./host-clock.ts";
import type { LoggedConnection } from "./told-connection.ts";

export interface AccountedEnvoyOptions extends HostClocks {
  readonly onSeen: (seen: SeenConnections) => void;
  readonly onCovered: (life: CoveredLife) => void;
}

/** More than a policy has. */
const portsMax = 512;
/** Those without mTLS that are open. Of others it is said when they end. */
const openMax = 65_536;
/** Of a second, of an Envoy that has just begun. */
const waitingMax = 4_096;

export class AccountedEnvoy {
  readonly #options: AccountedEnvoyOptions;
  readonly #clock = new ConnectionClock();
  #account = new ConnectionAccount();
  #ports = new Set<number>();
  #open = 0;
  #isDoubtful = false;
  #waiting: LoggedConnection[] = [];

  constructor(options: AccountedEnvoyOptions) {
    this.#options = options;
  }

  /** Who begins to tell now may be another one. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** No stream of counters is there. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** @param isOfNext its stream has begun in doubt */
  log(connection: LoggedConnection, isOfNext: boolean): void {
    if (!isOfNext || !this.#isDoubtful) this.#take(connection);
    // More is lost, and will be counted as lost.
    else if (this.#waiting.length < waitingMax) this.#waiting.push(connection);
  }

  /** @param goesOn one that began to tell before any doubt does so still */
  flush(flush: CountsFlush, goesOn: boolean): void {
    const nowMs = this.#options.nowMs();
    const monotonicMs = this.#options.monotonicMs?.() ?? nowMs;
    if (this.#clock.isApart(flush.takenMs, nowMs, monotonicMs)) this.#account.clockSetForward();
    if (!this.#account.flush(flush, nowMs, this.#isDoubtful && !goesOn)) {
      this.#next();
      this.#account.flush(flush, nowMs);
    }
    this.#isDoubtful = false;
    for (const connection of this.#waiting) this.#take(connection);
    this.#waiting = [];
  }

  /** Nothing more will come of it. */
  end(): void {
    this.#next();
    this.#isDoubtful = false;
    this.#waiting = [];
  }

  /** @returns since the last time; undefined before the first flush */
  cover(): CoveredLife | undefined {
    const { epochMs, coverage, stillOpen } = this.#account.take();
    for (const seen of stillOpen) this.#options.onSeen(seen);
    return epochMs === undefined ? undefined : { epochMs, coverage };
  }

  #next(): void {
    this.#account.end();
    const covered = this.cover();
    if (covered !== undefined) this.#options.onCovered(covered);
    this.#account = new ConnectionAccount();
    this.#ports = new Set();
    this.#open = 0;
  }

  #take(connection: LoggedConnection): void {
    const { seen, isEnd, isCall } = connection;
    const { port } = seen;
    if (!this.#ports.has(port)) {
      if (this.#ports.size >= portsMax) return;
      this.#ports.add(port);
    }
    const count = isEnd ? this.#ended(connection) : this.#opened(connection);
    // One that goes on, and was told of before.
    if (!isCall || (count === 0 && !isEnd)) return;
    this.#options.onSeen(count === seen.count ? seen : { ...seen, count });
  }

  /** @returns how many are told of that were not told of before */
  #opened(connection: LoggedConnection): number {
    if (this.#open >= openMax) return 0;
    const count = this.#account.opened(connection, this.#options.nowMs());
    this.#open += count;
    return count;
  }

  #ended(connection: LoggedConnection): number {
    const count = this.#account.ended(connection, this.#options.nowMs());
    // It was known when it began.
    if (count === 0) this.#open = Math.max(0, this.#open - 1);
    return count;
  }
}
