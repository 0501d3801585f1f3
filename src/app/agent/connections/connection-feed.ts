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
import { LeftConnections, rowsOf } from "./left-connections.ts";
import type { ResumedLife } from "./resumed-life.ts";

export interface ConnectionFeedOptions extends HostClocks {
  /** What an earlier life of the agent has said of an Envoy; undefined for nothing. */
  readonly resumed: (key: string) => ResumedLife | undefined;
}

interface Recorded {
  readonly name: PolicyProxyName;
  readonly recorder: ConnectionRecorder;
  /** Since nobody tells of it any more. */
  overMs: number | undefined;
}

/** What an Envoy that has ended said last may still be on its way. */
const lingerMs = 2_000;
/** Of one identity at a time: beyond, its other Envoys wait, so that what one makes up does not make the others of a node late. */
const takenRowsMax = 4_096;
/** Whoever cannot prove for so long that he may speak for one that is gone never will. */
const leftMsMax = 3_600_000;

export class ConnectionFeed {
  readonly #options: ConnectionFeedOptions;
  readonly #recorded = new Map<string, Recorded>();
  readonly #left = new LeftConnections();
  /** Those that wait, by `policyKey`, the longest first. */
  #passedOver: ReadonlySet<string> = new Set();
  /** Called when somebody waits to be told of who was not known before. */
  onNew: () => void = () => {};

  constructor(options: ConnectionFeedOptions) {
    this.#options = options;
  }

  /** Or there is more of what was known. */
  get hasNew(): boolean {
    if (this.#passedOver.size > 0) return true;
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

  /** Since the last time: of each Envoy all or, where it has to wait, nothing. */
  take(): CountedConnections[] {
    this.#sweep();
    const rows = new Map<string | undefined, number>();
    const passedOver = new Set<string>();
    const taken: CountedConnections[] = [];
    for (const key of new Set([
      ...this.#passedOver,
      ...this.#left.keys,
      ...this.#recorded.keys(),
    ])) {
      const { spiffeId } = this.#recorded.get(key)?.name ?? this.#left.nameOf(key) ?? {};
      const before = rows.get(spiffeId) ?? 0;
      if (before >= takenRowsMax) {
        passedOver.add(key);
        continue;
      }
      const all = [...this.#left.take(key), ...(this.#recorded.get(key)?.recorder.take() ?? [])];
      rows.set(spiffeId, before + rowsOf(all));
      taken.push(...all);
    }
    this.#passedOver = passedOver;
    return taken;
  }

  /** It was taken, and is to be told again: of each Envoy all that was, in its order. */
  putBack(all: readonly CountedConnections[]): void {
    for (const [key, pieces] of Map.groupBy(all, policyKey)) {
      const recorder = this.#recorded.get(key)?.recorder;
      // Of one that is gone all or nothing: what it covers is not to be told without who was seen.
      if (recorder !== undefined) for (const each of pieces) recorder.putBack(each);
      else if (lastMs(pieces) > this.#options.nowMs() - leftMsMax) this.#left.add(pieces);
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
    const recorded: Recorded = { name, recorder, overMs: undefined };
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
      this.#left.add(recorder.take());
    }
  }
}

function lastMs(all: readonly CountedConnections[]): number {
  const ends = all.flatMap(({ seen, coverage }) => [
    ...seen.map((each) => each.lastMs),
    ...coverage.map(({ untilMs }) => untilMs),
  ]);
  return ends.reduce((last, ms) => Math.max(last, ms), -Infinity);
}
