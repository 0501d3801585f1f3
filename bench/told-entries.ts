/** Entries of the access log for connections to one port, as an Envoy writes them. */

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AddressSchema, type Address } from "../src/gen/envoy/config/core/v3/address_pb.ts";
import {
  AccessLogCommonSchema,
  AccessLogType,
} from "../src/gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import type { StreamAccessLogsMessageSchema } from "../src/gen/envoy/service/accesslog/v3/als_pb.ts";

export type Entry = MessageInitShape<typeof StreamAccessLogsMessageSchema>;

export const toldPort = 8_080;
const callers = 50;

/** @param cx the connection's number */
export function mtls(cx: number, caller: number): Entry {
  const uri = `spiffe://cluster.local/ns/bench/sa/caller-${caller % callers}`;
  const subjectAltName = [{ san: { case: "uri" as const, value: uri } }];
  return entryOf(cx, caller, {
    duration: { nanos: 4_000_000 },
    tlsProperties: {
      tlsSniHostname: "outbound_.80_._.api.shop.internal",
      peerCertificateProperties: { subjectAltName },
    },
    upstreamCluster: "inbound|8080",
    customTags: { chain: "mtls-tcp", cx: String(cx) },
  });
}

/** @param cx the connection's number */
export function plaintext(cx: number, caller: number, what: "begins" | "ends"): Entry {
  const tags = { chain: "plaintext-http", cx: String(cx) };
  return entryOf(
    cx,
    caller,
    what === "begins"
      ? {
          upstreamCluster: "inbound|8080",
          accessLogType: AccessLogType.DownstreamStart,
          customTags: { ...tags, ua: "kube-probe/1.31" },
        }
      : { duration: { nanos: 4_000_000 }, customTags: tags },
  );
}

/** What an Envoy says besides, and nobody reads: the caller's address once more, and two of the application's connection. */
const unread = [2, 13, 14].map((no) => {
  const octets = toBinary(AddressSchema, socket("127.0.0.1", 50_000));
  return { no, wireType: WireType.LengthDelimited, data: Uint8Array.of(octets.length, ...octets) };
});

type Common = MessageInitShape<typeof AccessLogCommonSchema>;

function entryOf(cx: number, caller: number, more: Common): Entry {
  const from = `10.0.${(caller % callers) >> 4}.${(caller % 16) + 1}`;
  const commonProperties = create(AccessLogCommonSchema, more);
  commonProperties.downstreamLocalAddress = socket("10.1.1.1", toldPort);
  commonProperties.downstreamDirectRemoteAddress = socket(from, 40_000 + (cx % 20_000));
  commonProperties.startTime = timestampFromMs(Date.now() - 4);
  commonProperties.$unknown = unread;
  return { logEntries: { case: "tcpLogs", value: { logEntry: [{ commonProperties }] } } };
}

function socket(address: string, portValue: number): Address {
  const portSpecifier = { case: "portValue", value: portValue } as const;
  const value = { address, portSpecifier };
  return create(AddressSchema, { address: { case: "socketAddress", value } });
}
