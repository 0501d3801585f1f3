/** What an Envoy may tell of connections: whatever it is, the server takes what the agent makes of it. */

import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { readAccessLog } from "../../../src/app/agent/connections/access-log-message.ts";
import { loggedConnection } from "../../../src/app/agent/connections/told-connection.ts";
import {
  encodeConnectionReport,
  parseConnectionReport,
} from "../../../src/edge/rpc/connection-messages.ts";
import { AccessLogType } from "../../../src/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { StreamAccessLogsMessageSchema } from "../../../src/gen/envoy/service/accesslog/v3/als_pb.ts";
import { ConnectRequestSchema } from "../../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import type { FuzzTarget } from "../target.ts";

const address = (text: string, portValue: number) =>
  ({
    address: {
      case: "socketAddress",
      value: { address: text, portSpecifier: { case: "portValue", value: portValue } },
    },
  }) as const;

function encode(...all: readonly object[]): Uint8Array {
  const common = {
    downstreamLocalAddress: address("10.0.0.1", 8080),
    downstreamDirectRemoteAddress: address("10.0.0.2", 40_000),
    startTime: { seconds: 1_790_000_000n, nanos: 5_000_000 },
    duration: { seconds: 1n, nanos: 2_000_000 },
  };
  const logEntry = all.map((each) => ({ commonProperties: { ...common, ...each } }));
  const logEntries = { case: "tcpLogs", value: { logEntry } } as const;
  const identifier = { node: { id: "web-0", cluster: "shop" } };
  return toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, { identifier, logEntries }),
  );
}

export const accessLog: FuzzTarget = {
  name: "access-log",
  shape: "bytes",
  dictionary: [
    "mtls-tcp",
    "plaintext-http",
    "passthrough",
    "chain",
    "SSL routines",
    "::ffff:1.2.3.4",
  ],
  seeds: () => ({
    mtls: encode({
      upstreamCluster: "inbound|8080",
      tlsProperties: {
        tlsSniHostname: "api",
        peerCertificateProperties: {
          subjectAltName: [{ san: { case: "uri", value: "spiffe://td/ns/a/sa/b" } }],
        },
      },
      customTags: { chain: "mtls-tcp", cx: "7" },
    }),
    refused: encode({
      responseFlags: { noRouteFound: true },
      downstreamTransportFailureReason: "TLS_error|error:1000009c:SSL routines:OPENSSL_internal",
    }),
    several: encode(
      {
        customTags: { chain: "plaintext-http", cx: "8", ua: "kube-probe/1.31" },
        accessLogType: AccessLogType.DownstreamStart,
      },
      { customTags: { chain: "canary", cx: "9", hs: "1200" } },
    ),
  }),
  check: (input) => {
    const message = orError(() => readAccessLog(input));
    if (message === undefined) return false;
    const seen = message.entries.flatMap((entry) => loggedConnection(entry)?.seen ?? []);
    if (seen.length === 0 || seen.length > 1_000) return true;
    const proxies = [{ proxyId: "web-0", spiffeId: undefined, epochMs: 1, seen, coverage: [] }];
    const report = { runId: "ab".repeat(16), sequence: 1, proxies };
    const octets = toBinary(ConnectRequestSchema, encodeConnectionReport(report));
    const { message: wire } = fromBinary(ConnectRequestSchema, octets);
    assert(wire.case === "connections");
    assert.equal(parseConnectionReport(wire.value).proxies[0]?.seen.length, seen.length);
    return true;
  },
};

/** gRPC ends the stream for whatever a reader throws. */
function orError<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof Error);
    return undefined;
  }
}
