import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  AccessLogSchema,
  type AccessLog,
} from "../../gen/envoy/config/accesslog/v3/accesslog_pb.ts";
import {
  ListenerSchema,
  type FilterChain,
  type Listener,
} from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import { AccessLogType } from "../../gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { TcpGrpcAccessLogConfigSchema } from "../../gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts";
import { HttpConnectionManagerSchema } from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  TcpProxySchema,
  UpstreamConnectMode,
} from "../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import type { InboundPort } from "../policy/proxy-policy.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { inboundListener } from "./inbound-listener.ts";
import { outboundListener } from "./outbound-listener.ts";

const ports: readonly InboundPort[] = (["tcp", "http", "auto"] as const).flatMap((protocol) =>
  (["disable", "permissive", "strict"] as const).map((mode) => ({
    port: 8080,
    bind: "0.0.0.0",
    protocol,
    isHttp2: false,
    app: { kind: "ip", host: "127.0.0.1", port: 80 },
    mode,
  })),
);
const listeners: readonly Listener[] = ports.flatMap((port) =>
  ["td.test", "other.test"].map((name) =>
    fromBinary(ListenerSchema, inboundListener(port, TrustDomain.parse(name)).body),
  ),
);
const chains: readonly FilterChain[] = listeners.flatMap(({ filterChains }) => filterChains);

interface Begin {
  readonly accessLog: readonly AccessLog[];
  readonly isTold: boolean;
  readonly type: AccessLogType;
}

/** How a chain tells that a connection begins. */
function beginOf({ filters }: FilterChain): Begin {
  const last = configOf(filters.at(-1)?.configType);
  if (last.typeUrl.endsWith(".TcpProxy")) {
    const { accessLog, accessLogOptions } = fromBinary(TcpProxySchema, last.value);
    const isTold = accessLogOptions?.flushAccessLogOnStart === true;
    return { accessLog, isTold, type: AccessLogType.TcpConnectionStart };
  }
  const { accessLog, accessLogOptions } = fromBinary(HttpConnectionManagerSchema, last.value);
  const isTold = accessLogOptions?.flushAccessLogOnNewRequest === true;
  return { accessLog, isTold, type: AccessLogType.DownstreamStart };
}

test("tells of each connection at its end, whatever becomes of it", () => {
  for (const { accessLog } of listeners) {
    assert.equal(accessLog.length, 1);
    assert.equal(accessLog[0]?.filter, undefined);
  }
});

test("tells when a connection without mTLS begins, and of no other", () => {
  for (const chain of chains) {
    const { accessLog, isTold, type } = beginOf(chain);
    const isPlain = chain.transportSocket === undefined;
    assert.equal(isTold, isPlain, chain.name);
    const types = accessLog.map(({ filter }) => filter?.filterSpecifier.value?.types);
    assert.deepEqual(types, isPlain ? [[type]] : [], chain.name);
  }
});

test("is the same for every listener and chain, so that nothing of it ever drains a connection", () => {
  const logs = [...listeners, ...chains.map(beginOf)].flatMap(({ accessLog }) => accessLog);
  const octets = logs.map(({ configType }) => Buffer.from(configOf(configType).value));
  assert.equal(new Set(octets.map((each) => each.toString("hex"))).size, 1);
  const ends = listeners.flatMap(({ accessLog }) => accessLog);
  const whole = ends.map((each) => Buffer.from(toBinary(AccessLogSchema, each)).toString("hex"));
  assert.equal(new Set(whole).size, 1);
});

test("keeps nothing back that Envoy's end would lose", () => {
  const { configType } = listeners[0]?.accessLog[0] ?? {};
  const config = fromBinary(TcpGrpcAccessLogConfigSchema, configOf(configType).value);
  assert.equal(config.commonConfig?.bufferSizeBytes, 0);
});

test("may take a cluster for the proof of a handshake: none is chosen before its end", () => {
  const proxies = chains
    .filter(({ transportSocket }) => transportSocket !== undefined)
    .map(({ filters }) => configOf(filters.at(-1)?.configType))
    .filter(({ typeUrl }) => typeUrl.endsWith(".TcpProxy"))
    .map(({ value }) => fromBinary(TcpProxySchema, value).upstreamConnectMode);
  const afterHandshake = UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE;
  assert.deepEqual(new Set(proxies), new Set([afterHandshake]));
});

test("is no part of what calls others", () => {
  for (const protocol of ["tcp", "http"] as const) {
    const domains = protocol === "http" ? ["*"] : [];
    const routes = [{ domains, cluster: "outbound|80||api" }];
    const { body } = outboundListener({ bind: "127.0.0.1", port: 80, protocol, routes });
    const { accessLog, filterChains } = fromBinary(ListenerSchema, body);
    assert.deepEqual([accessLog, filterChains.map(beginOf)[0]?.accessLog], [[], []]);
  }
});

function configOf(type: { readonly value?: Any | undefined } | undefined): Any {
  assert(type?.value);
  return type.value;
}
