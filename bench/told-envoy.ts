/**
 * What an Envoy tells its agent of connections to one port, without one: entries of the access log, each in a message of its own, and its
 * counters once a second. Some connections it only counts, as an Envoy does whose entries get lost.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ClientWritableStream } from "@grpc/grpc-js";
import {
  AccessLogService,
  StreamAccessLogsMessageSchema,
} from "../src/gen/envoy/service/accesslog/v3/als_pb.ts";
import {
  MetricsService,
  StreamMetricsMessageSchema,
} from "../src/gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import { mtls, plaintext, toldPort, type Entry } from "./told-entries.ts";

/** In so many groups, one connection with mTLS and one without are only counted. */
const lostEach = 1_000;
const tickMs = 2;
const flushMs = 1_000;
/** Two connections with mTLS, and the beginning and the end of one without. */
const entriesOfGroup = 4;

export interface ToldCounts {
  readonly mtls: number;
  readonly plaintext: number;
  /** Of these two: counted, and not told. */
  readonly lost: number;
}

export class ToldEnvoy implements Disposable {
  readonly #client: Client;
  readonly #log: ClientWritableStream<Buffer>;
  readonly #metrics: ClientWritableStream<Buffer>;
  readonly #beganMs = Date.now();
  readonly #flushing: NodeJS.Timeout;
  #groups = 0;
  #lost = 0;
  #entries = 0;

  /** @param socket of a sidecar's agent */
  constructor(socket: string, nodeId: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure());
    this.#log = this.#open(AccessLogService, AccessLogService.method.streamAccessLogs.name);
    this.#metrics = this.#open(MetricsService, MetricsService.method.streamMetrics.name);
    const identifier = { node: { id: nodeId } };
    this.#write({ identifier });
    const first = create(StreamMetricsMessageSchema, { identifier });
    this.#metrics.write(Buffer.from(toBinary(StreamMetricsMessageSchema, first)));
    this.#flush();
    this.#flushing = setInterval(() => this.#flush(), flushMs);
  }

  get counts(): ToldCounts {
    return { mtls: 2 * this.#groups, plaintext: this.#groups, lost: this.#lost };
  }

  /** Entries that were written. */
  get entries(): number {
    return this.#entries;
  }

  /** Entries as they are due, whoever is late. */
  async tell(perSecond: number, spanMs: number): Promise<void> {
    const before = this.#groups;
    const startMs = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const elapsedMs = Math.min(spanMs, performance.now() - startMs);
        const due = before + Math.floor((elapsedMs * perSecond) / 1_000 / entriesOfGroup);
        while (this.#groups < due) this.#group();
        if (elapsedMs < spanMs) return;
        clearInterval(timer);
        resolve();
      }, tickMs);
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#flushing);
    this.#client.close();
  }

  #group(): void {
    const group = this.#groups++;
    const [losesMtls, losesPlain] = [0, lostEach / 2].map((at) => group % lostEach === at);
    if (losesMtls === true || losesPlain === true) this.#lost += 1;
    const cx = 1 + 3 * group;
    if (losesMtls !== true) this.#write(mtls(cx, group));
    this.#write(mtls(cx + 1, group + 1));
    if (losesPlain === true) return;
    this.#write(plaintext(cx + 2, group, "begins"));
    this.#write(plaintext(cx + 2, group, "ends"));
  }

  #open(service: { readonly typeName: string }, method: string): ClientWritableStream<Buffer> {
    const path = `/${service.typeName}/${method}`;
    const same = (octets: Buffer): Buffer => octets;
    const stream = this.#client.makeClientStreamRequest(path, same, same, () => {});
    // The agent may end first.
    return stream.on("error", () => {});
  }

  #write(entry: Entry): void {
    if (entry.identifier === undefined) this.#entries += 1;
    const message = create(StreamAccessLogsMessageSchema, entry);
    this.#log.write(Buffer.from(toBinary(StreamAccessLogsMessageSchema, message)));
  }

  #flush(): void {
    const now = Date.now();
    const { mtls: withTls, plaintext: without } = this.counts;
    const inbound = `inbound_${toldPort}`;
    const stats = {
      "server.uptime": Math.floor((now - this.#beganMs) / 1_000),
      "listener_manager.total_listeners_warming": 0,
      [`listener.${inbound}.downstream_cx_destroy`]: withTls + without,
      [`tcp.${inbound}.mtls-tcp.downstream_cx_total`]: withTls,
      [`connection_limit.${inbound}.mtls-tcp.active_connections`]: 0,
      [`http.${inbound}.plaintext-http.downstream_cx_destroy`]: without,
      [`http.${inbound}.plaintext-http.downstream_cx_active`]: 0,
    };
    const message = create(StreamMetricsMessageSchema, {
      envoyMetrics: Object.entries(stats).map(([name, value]) => ({
        name,
        metric: [{ gauge: { value }, timestampMs: BigInt(now) }],
      })),
    });
    this.#metrics.write(Buffer.from(toBinary(StreamMetricsMessageSchema, message)));
  }
}
