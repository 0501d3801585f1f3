/**
 * `envoy.service.metrics.v3.MetricsService`: each Envoy tells its statistics once a second, and of these the agent wants to know how
 * many connections of which kind are open, and have been.
 */

import { create } from "@bufbuild/protobuf";
import type { sendUnaryData, Server, ServerReadableStream } from "@grpc/grpc-js";
import { methodDefinition } from "../../../edge/rpc/service-definition.ts";
import {
  MetricsService,
  StreamMetricsResponseSchema,
  type StreamMetricsResponse,
} from "../../../gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import { TellingStreams, type Listener, type TellingOptions } from "../telling-streams.ts";
import type { FlushStream } from "./draining-feed.ts";
import { FlushParts } from "./envoy-metrics-parts.ts";
import { readEnvoyMetrics, type EnvoyMetrics } from "./envoy-metrics-message.ts";
import type { PolicyProxyName } from "./policy-feed.ts";

/** Whoever wants to know. */
export interface FlushFeed {
  readonly observe: (name: PolicyProxyName) => FlushStream;
}

export interface EnvoyMetricsOptions extends TellingOptions {
  readonly feeds: readonly FlushFeed[];
}

type MetricsCall = ServerReadableStream<EnvoyMetrics, StreamMetricsResponse>;

export class EnvoyMetricsService {
  readonly #streams: TellingStreams<EnvoyMetrics, StreamMetricsResponse>;

  constructor(options: EnvoyMetricsOptions) {
    this.#streams = new TellingStreams(options, () => listener(options.feeds));
  }

  addTo(server: Server): void {
    const { method } = MetricsService;
    const definition = methodDefinition(MetricsService, method.streamMetrics);
    const streamMetrics = { ...definition, requestDeserialize: readEnvoyMetrics };
    server.addService(
      { streamMetrics },
      {
        streamMetrics: (call: MetricsCall, reply: sendUnaryData<StreamMetricsResponse>) =>
          this.#streams.open(call, reply, create(StreamMetricsResponseSchema)),
      },
    );
  }
}

function listener(feeds: readonly FlushFeed[]): Listener<EnvoyMetrics> {
  const parts = new FlushParts();
  let observed: readonly FlushStream[] = [];
  return {
    known: (name) => (observed = feeds.map((feed) => feed.observe(name))),
    take: (metrics) => {
      const flush = parts.add(metrics);
      if (flush !== undefined) for (const each of observed) each.flush(flush);
    },
    close: () => {
      for (const each of observed) each.close();
      observed = [];
    },
  };
}
