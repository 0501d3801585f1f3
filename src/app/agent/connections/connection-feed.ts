/** What the connections to all Envoys of an agent were, until it is reported: also of those that are gone. */

import { policyKey } from "../../../core/policy/policy-report.ts";
import type { FlushStream } from "../policy/draining-feed.ts";
import type { PolicyProxyName } from "../policy/policy-feed.ts";
import {
  ConnectionRecorder,
  type CountedConnections,
  type LogStream,
} from "./connection-recorder.ts";
import { clockOffsetMs, type HostClocks } from "./host-clock.ts";
import type { ResumedLife } from "./resumed-life.ts";

export interface ConnectionFeedOptions extends HostClocks {
  /** What an earlier life of the agent has said of an Envoy; undefined for nothing. */
  readonly resumed: (key: string) => ResumedLife | undefined;
}

interface Recorded {
  readonly recorder: ConnectionRecorder;
  /** Since nobody tells of it any more. */
  overMs: number | undefined;
}

/** What an Envoy that has ended said last may still be on its way. */
const lingerMs = 2_000;
/** Of those that are gone; more is dropped, the oldest first and all of one Envoy, and is a gap. */
const leftRowsMax = 65_536;
/** Whoever cannot prove for so long that he may speak for one that is gone never will. */
const leftMsMax = 3_600_000;

export class ConnectionFeed {
  readonly #options: ConnectionFeedOptions;
  readonly #recorded = new Map<string, Recorded>();
  #left: CountedConnections[] = [];
  /** Called when somebody waits to be told of who was not known before. */
  onNew: () => void = () => {};

  constructor(options: ConnectionFeedOptions) {
    this.#options = options;
  }

  get hasNew(): boolean {
    return [...this.#recorded.values()].some(({ recorder }) => recorder.hasNew);
  }

  /** A stream of Envoy's statistics. */
  observe(name: PolicyProxyName): FlushStream {
    return this.#recorderOf(name).flushes();
  }

  /** A stream of its access log. */
  log(name: PolicyProxyName): LogStream {
    return this.#recorderOf(name).log();
  }

  /** A stream on which it acknowledges what ports it listens on. */
  listening(name: PolicyProxyName): Pick<ConnectionRecorder, "listens"> & {
    readonly close: () => void;
  } {
    const recorder = this.#recorderOf(name);
    return { listens: (ports) => recorder.listens(ports), close: recorder.hold() };
  }

  /** All since the last time. */
  take(): CountedConnections[] {
    this.#sweep();
    const left = this.#left;
    this.#left = [];
    return [...left, ...[...this.#recorded.values()].flatMap(({ recorder }) => recorder.take())];
  }

  /** It was taken, and is to be told again: of each Envoy all that was, in its order. */
  putBack(all: readonly CountedConnections[]): void {
    for (const [key, pieces] of Map.groupBy(all, policyKey)) {
      const recorder = this.#recorded.get(key)?.recorder;
      // Of one that is gone all or nothing: what it covers is not to be told without who was seen.
      if (recorder !== undefined) for (const each of pieces) recorder.putBack(each);
      else if (lastMs(pieces) > this.#options.nowMs() - leftMsMax) this.#leave(pieces);
    }
  }

  #recorderOf(name: PolicyProxyName): ConnectionRecorder {
    this.#sweep();
    const key = policyKey(name);
    const known = this.#recorded.get(key);
    if (known !== undefined) {
      known.overMs = undefined;
      return known.recorder;
    }
    const resumed = this.#options.resumed(key);
    const recorder = new ConnectionRecorder({
      name,
      nowMs: this.#options.nowMs,
      monotonicMs: this.#options.monotonicMs,
      onNew: () => this.onNew(),
      onOver: () => (recorded.overMs = this.#options.nowMs()),
      goOn: (life) => resumed?.goOn(life, clockOffsetMs(this.#options)) ?? life,
    });
    const recorded: Recorded = { recorder, overMs: undefined };
    this.#recorded.set(key, recorded);
    return recorder;
  }

  #sweep(): void {
    const nowMs = this.#options.nowMs();
    for (const [key, { recorder, overMs }] of this.#recorded) {
      // The clock may have been set back.
      if (overMs === undefined || Math.abs(nowMs - overMs) < lingerMs) continue;
      recorder.end();
      this.#recorded.delete(key);
      this.#leave(recorder.take());
    }
  }

  #leave(connections: readonly CountedConnections[]): void {
    this.#left.push(...connections);
    while (rowsOf(this.#left) > leftRowsMax) {
      const [oldest] = this.#left;
      const key = oldest && policyKey(oldest);
      // Its other lives and pieces are coverage, which is not to be told without who was seen.
      this.#left = this.#left.filter((each) => policyKey(each) !== key);
    }
  }
}

function rowsOf(all: readonly CountedConnections[]): number {
  return all.reduce((sum, { seen, coverage }) => sum + seen.length + coverage.length + 1, 0);
}

function lastMs(all: readonly CountedConnections[]): number {
  const ends = all.flatMap(({ seen, coverage }) => [
    ...seen.map((each) => each.lastMs),
    ...coverage.map(({ untilMs }) => untilMs),
  ]);
  return ends.reduce((last, ms) => Math.max(last, ms), -Infinity);
}
