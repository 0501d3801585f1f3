/** `envoy.service.accesslog.v3.AccessLogService`: each Envoy tells of each connection to its inbound ports. */

import { create } from "@bufbuild/protobuf";
import type { sendUnaryData, Server, ServerReadableStream } from "@grpc/grpc-js";
import { methodDefinition } from "../../../edge/rpc/service-definition.ts";
import {
  AccessLogService as Service,
  StreamAccessLogsResponseSchema,
  type StreamAccessLogsResponse,
} from "../../../gen/envoy/service/accesslog/v3/als_pb.ts";
import { TellingStreams, type Listener, type TellingOptions } from "../telling-streams.ts";
import { readAccessLog, type AccessLogMessage } from "./access-log-message.ts";
import type { ConnectionFeed } from "./connection-feed.ts";
import type { LogStream } from "./connection-recorder.ts";

export interface AccessLogOptions extends TellingOptions {
  readonly feed: ConnectionFeed;
}

type AccessLogCall = ServerReadableStream<AccessLogMessage, StreamAccessLogsResponse>;

export class AccessLogService {
  readonly #streams: TellingStreams<AccessLogMessage, StreamAccessLogsResponse>;

  constructor(options: AccessLogOptions) {
    this.#streams = new TellingStreams(options, () => listener(options.feed));
  }

  addTo(server: Server): void {
    const definition = methodDefinition(Service, Service.method.streamAccessLogs);
    const streamAccessLogs = { ...definition, requestDeserialize: readAccessLog };
    server.addService(
      { streamAccessLogs },
      {
        streamAccessLogs: (call: AccessLogCall, reply: sendUnaryData<StreamAccessLogsResponse>) =>
          this.#streams.open(call, reply, create(StreamAccessLogsResponseSchema)),
      },
    );
  }
}

function listener(feed: ConnectionFeed): Listener<AccessLogMessage> {
  let stream: LogStream | undefined;
  return {
    known: (name) => (stream = feed.log(name)),
    take: ({ entries }) => stream?.take(entries),
    close: () => {
      stream?.close();
      stream = undefined;
    },
  };
}
