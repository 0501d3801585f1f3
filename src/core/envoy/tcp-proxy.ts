/** Octets between a port and a cluster. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema } from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import {
  TcpProxySchema,
  UpstreamConnectMode,
} from "../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { tcpBeginLog } from "./connection-log.ts";
import { typedConfig } from "./extension.ts";

type FilterInit = MessageInitShape<typeof FilterSchema>;

export interface TcpProxyOptions {
  readonly statPrefix: string;
  readonly cluster: string;
  /** Connects to nobody before the caller's handshake has ended: a refused one would still open a connection. */
  readonly awaitsTls: boolean;
  /** Tells the agent when a connection begins. */
  readonly logsBegin: boolean;
}

export function tcpProxy(options: TcpProxyOptions): FilterInit {
  const { statPrefix, cluster, awaitsTls, logsBegin } = options;
  const configType = typedConfig(TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: "cluster", value: cluster },
    ...(awaitsTls && {
      upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE,
      maxEarlyDataBytes: 0,
    }),
    ...(logsBegin && {
      accessLogOptions: { flushAccessLogOnStart: true },
      accessLog: [tcpBeginLog],
    }),
  });
  return { name: "envoy.filters.network.tcp_proxy", configType };
}
