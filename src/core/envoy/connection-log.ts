/**
 * The access log by which an agent hears of each connection to its Envoys' inbound ports: at its end, whatever became of it, and at its
 * beginning where it is without mTLS. Nothing here may depend on a policy, on time or on whose Envoy it is: to change a listener's log
 * drains all of its connections, those with mTLS, too. So whatever a stream needs besides, to say whose it is, stands in the bootstrap.
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  LogTypeFilterSchema,
  type AccessLogSchema,
} from "../../gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import { ApiVersion } from "../../gen/envoy/config/core/v3/config_source_pb.ts";
import { AccessLogType } from "../../gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { TcpGrpcAccessLogConfigSchema } from "../../gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts";
import { typedConfig } from "./extension.ts";
import { agentClusterName } from "./tls-context.ts";

type AccessLogInit = MessageInitShape<typeof AccessLogSchema>;

/** What an entry does not have by itself, by the name that it has there. A tag without a value is left out. */
export const connectionTags = {
  /** Of the filter chain; none where no chain fits, or none was looked for. */
  chain: "chain",
  /** Within this life of Envoy; "0" where there is no chain. */
  id: "cx",
  /** There if TLS ended here, and the handshake was ended, on a chain with an HTTP manager. */
  handshake: "hs",
  /** Of a plaintext request. */
  userAgent: "ua",
} as const;

/** Its octets are the same wherever it stands, and so all entries of a worker come on one stream, in order. */
const configType = typedConfig(TcpGrpcAccessLogConfigSchema, {
  commonConfig: {
    logName: "inbound",
    grpcService: {
      targetSpecifier: { case: "envoyGrpc", value: { clusterName: agentClusterName } },
    },
    transportApiVersion: ApiVersion.V3,
    // What is kept back is lost when Envoy ends, and with it all connections that its end ends.
    bufferSizeBytes: 0,
    customTags: [
      tag(connectionTags.chain, "%FILTER_CHAIN_NAME%"),
      tag(connectionTags.id, "%CONNECTION_ID%"),
      tag(connectionTags.handshake, "%COMMON_DURATION(DS_CX_BEG:DS_HS_END:us)%"),
      tag(connectionTags.userAgent, "%REQ(USER-AGENT):64%"),
    ],
  },
});

const name = "envoy.access_loggers.tcp_grpc";

/** Of a listener: one entry for each connection, when it has ended. */
export const endLog: AccessLogInit = { name, configType };

/** Of a TCP proxy that is told to log when a connection begins. */
export const tcpBeginLog: AccessLogInit = only(AccessLogType.TcpConnectionStart);

/** Of an HTTP manager that is told to log each new request: it knows of no beginning of a connection. */
export const requestBeginLog: AccessLogInit = only(AccessLogType.DownstreamStart);

/** The end is told by the listener already. */
function only(type: AccessLogType): AccessLogInit {
  const ofType = create(LogTypeFilterSchema, { types: [type] });
  const filterSpecifier = { case: "logTypeFilter", value: ofType } as const;
  return { name, configType, filter: { filterSpecifier } };
}

function tag(name: string, value: string) {
  return { tag: name, type: { case: "value", value } } as const;
}
