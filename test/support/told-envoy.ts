/** What an Envoy tells of plaintext connections that end at once: entries of its access log, and a flush each second. */

import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import {
  ConnectionRecorder,
  type LogStream,
} from "../../src/app/agent/connections/connection-recorder.ts";
import type { Flush } from "../../src/app/agent/policy/draining.ts";
import type { FlushStream } from "../../src/app/agent/policy/draining-feed.ts";

/** Both of its streams. */
interface Streams {
  readonly log: LogStream;
  readonly flushes: FlushStream;
}

export interface ToldEnvoyOptions {
  readonly open: () => Streams;
  readonly nowMs: number;
}

/** One Envoy after another of one name. */
export class ToldEnvoy {
  readonly #open: () => Streams;
  #streams: Streams;
  nowMs: number;
  epochMs: number;
  #ended = new Map<number, number>();
  #id = 0;

  constructor({ open, nowMs }: ToldEnvoyOptions) {
    this.#open = open;
    this.#streams = open();
    this.nowMs = nowMs;
    this.epochMs = nowMs;
  }

  /** Somebody calls, and it is told. */
  call(address: string, port = 80, beganMs: number = this.nowMs - 200): void {
    this.#count(port, 1);
    this.#id += 1;
    this.#streams.log.take([{ ...plaintext, id: String(this.#id), address, port, beganMs }]);
  }

  /** Somebody has called who is still there; no flush counts it. */
  begin(address: string, port = 80): void {
    this.#id += 1;
    const of = { id: String(this.#id), address, port, beganMs: this.nowMs, isEnd: false };
    this.#streams.log.take([{ ...plaintext, ...of }]);
  }

  /** As many call, and it is not told. */
  lose(count: number, port = 80): void {
    this.#count(port, count);
  }

  flushes(count: number): void {
    for (let at = 0; at < count; at++) this.flush();
  }

  flush(): void {
    this.nowMs += 1_000;
    this.#streams.flushes.flush(this.#stats());
  }

  /** It is one that was there before. */
  goOn(of: { readonly epochMs: number; readonly nowMs: number; readonly ended: number }): void {
    this.epochMs = of.epochMs;
    this.nowMs = of.nowMs;
    this.#count(80, of.ended);
  }

  /** Another life of it. */
  restart(): void {
    this.nowMs += 2_000;
    this.epochMs = this.nowMs;
    this.#ended = new Map();
    this.#id = 0;
    this.reconnect();
  }

  reconnect(): void {
    this.close();
    this.#streams = this.#open();
  }

  /** Its log goes on. */
  reopenCounters(): void {
    this.#streams.flushes.close();
    const { log, flushes } = this.#open();
    log.close();
    this.#streams = { log: this.#streams.log, flushes };
  }

  close(): void {
    this.#streams.log.close();
    this.#streams.flushes.close();
  }

  #count(port: number, count: number): void {
    this.#ended.set(port, (this.#ended.get(port) ?? 0) + count);
  }

  #stats(): Flush {
    const stats = new Map([["server.uptime", Math.floor((this.nowMs - this.epochMs) / 1_000)]]);
    for (const [port, ended] of this.#ended) {
      stats.set(`listener.inbound_${port}.downstream_cx_destroy`, ended);
      stats.set(`tcp.inbound_${port}.plaintext-tcp.downstream_cx_total`, ended);
    }
    return { takenMs: this.nowMs, stats };
  }
}

/** With a recorder of its own. */
export class TestEnvoy extends ToldEnvoy {
  readonly recorder: ConnectionRecorder;
  news = 0;

  constructor() {
    const recorder = new ConnectionRecorder({
      name: { proxyId: "web-0", spiffeId: undefined },
      nowMs: () => this.nowMs,
      onNew: () => (this.news += 1),
      onOver: () => {},
      goOn: (life) => life,
    });
    super({
      open: () => ({ log: recorder.log(), flushes: recorder.flushes() }),
      nowMs: 1_000_000_000,
    });
    this.recorder = recorder;
  }
}

const plaintext: AccessLogEntry = {
  isEnd: true,
  port: 80,
  address: "",
  beganMs: 0,
  lastedMs: 1,
  chain: "plaintext-tcp",
  id: "",
  hasProven: false,
  hasNoRoute: false,
  hasTlsError: true,
  hasServerName: false,
  peerUri: "",
  userAgent: "",
};
