/**
 * `envoy.service.metrics.v3.MetricsService`: each Envoy tells its statistics once a second, and of these the agent wants to know how
 * many plaintext connections are open.
 */

import { create } from "@bufbuild/protobuf";
import { status, type sendUnaryData, type Server, type ServerReadableStream } from "@grpc/grpc-js";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { methodDefinition } from "../../../edge/rpc/service-definition.ts";
import {
  MetricsService,
  StreamMetricsResponseSchema,
  type StreamMetricsResponse,
} from "../../../gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import { nodeIdLengthMax } from "../proxy-evidence.ts";
import type { StreamEnd } from "../secret-channel.ts";
import type { FindPeer, XdsPeer } from "../xds-calls.ts";
import type { DrainingFeed, FlushStream } from "./draining-feed.ts";
import { FlushParts } from "./envoy-metrics-parts.ts";
import { readEnvoyMetrics, type EnvoyMetrics } from "./envoy-metrics-message.ts";

export interface EnvoyMetricsOptions {
  readonly feed: DrainingFeed;
  readonly findPeer: FindPeer;
  /** Whether a proxy's name is to be told with its workload's. */
  readonly namesWorkload: boolean;
  readonly streamsMax: number;
}

type MetricsCall = ServerReadableStream<EnvoyMetrics, StreamMetricsResponse>;

export class EnvoyMetricsService {
  readonly #options: EnvoyMetricsOptions;
  #streams = 0;

  constructor(options: EnvoyMetricsOptions) {
    this.#options = options;
  }

  addTo(server: Server): void {
    const { method } = MetricsService;
    const definition = methodDefinition(MetricsService, method.streamMetrics);
    const streamMetrics = { ...definition, requestDeserialize: readEnvoyMetrics };
    server.addService(
      { streamMetrics },
      {
        streamMetrics: (call: MetricsCall, reply: sendUnaryData<StreamMetricsResponse>) =>
          this.#open(call, reply),
      },
    );
  }

  #open(call: MetricsCall, reply: sendUnaryData<StreamMetricsResponse>): void {
    call.on("error", () => {});
    if (this.#streams >= this.#options.streamsMax) {
      return reply({ code: status.RESOURCE_EXHAUSTED, details: "too many streams" });
    }
    const peer = this.#options.findPeer(call.metadata);
    if ("code" in peer) return reply(peer);
    this.#streams += 1;
    const stream = new MetricsStream(this.#options, peer);
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.#streams -= 1;
      isOpen = false;
      stream.close();
    };
    call.on("data", (metrics: EnvoyMetrics) => {
      const end = isOpen ? stream.take(metrics) : undefined;
      if (end === undefined) return;
      close();
      reply(end);
    });
    call.on("end", () => {
      if (isOpen) reply(null, create(StreamMetricsResponseSchema));
      close();
    });
    for (const event of ["error", "cancelled", "close"]) call.on(event, close);
  }
}

class MetricsStream {
  readonly #options: EnvoyMetricsOptions;
  readonly #peer: XdsPeer;
  #stopWaiting: (() => void) | undefined;
  #observed: FlushStream | undefined;
  readonly #parts = new FlushParts();

  constructor(options: EnvoyMetricsOptions, peer: XdsPeer) {
    this.#options = options;
    this.#peer = peer;
  }

  /** @returns why it is over; undefined if it goes on */
  take(metrics: EnvoyMetrics): StreamEnd | undefined {
    if (this.#stopWaiting === undefined) {
      const { nodeId = "" } = metrics;
      if (nodeId === "" || nodeId.length > nodeIdLengthMax) {
        return invalid(`expected a node id of 1 to ${nodeIdLengthMax} characters`);
      }
      this.#stopWaiting = this.#peer.owner.whenKnown((id) => this.#begin(nodeId, id));
    }
    try {
      const flush = this.#parts.add(metrics);
      if (flush !== undefined) this.#observed?.flush(flush);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return invalid(`${error.message} in a flush`);
    }
    return undefined;
  }

  close(): void {
    this.#stopWaiting?.();
    this.#observed?.close();
    this.#observed = undefined;
  }

  #begin(proxyId: string, id: SpiffeId): void {
    const { feed, namesWorkload } = this.#options;
    const spiffeId = namesWorkload ? id.toString() : undefined;
    this.#observed = feed.observe({ proxyId, spiffeId });
  }
}

function invalid(details: string): StreamEnd {
  return { code: status.INVALID_ARGUMENT, details };
}
