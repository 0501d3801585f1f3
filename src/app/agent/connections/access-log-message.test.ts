import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as fc from "fast-check";
import { AccessLogType } from "../../../gen/envoy/data/accesslog/v3/accesslog_pb.ts";
import { StreamAccessLogsMessageSchema } from "../../../gen/envoy/service/accesslog/v3/als_pb.ts";
import type { AccessLogEntry } from "./access-log-entry.ts";
import { readAccessLog } from "./access-log-message.ts";

const text = fc.string({ unit: fc.constantFrom("a", "9", ":", "/", " "), maxLength: 20 });
const ms = fc.integer({ min: 1, max: 4_000_000_000_000 });
const entry: fc.Arbitrary<AccessLogEntry> = fc.record(
  {
    isEnd: fc.boolean(),
    port: fc.integer({ min: 1, max: 65_535 }),
    address: text,
    beganMs: ms,
    lastedMs: ms,
    chain: text,
    id: text,
    hasProven: fc.boolean(),
    hasNoRoute: fc.boolean(),
    hasTlsError: fc.boolean(),
    hasServerName: fc.boolean(),
    peerUri: text,
    userAgent: text,
  },
  { noNullPrototype: true },
);

test("reads what is wanted of each entry, whatever else is in it", () => {
  fc.assert(
    fc.property(fc.array(entry), fc.option(fc.string(), { nil: undefined }), (entries, nodeId) => {
      assert.deepEqual(readAccessLog(encode(entries, nodeId)), { nodeId, entries });
    }),
  );
});

test("takes either sign that a handshake was ended, and takes none from a failure that is none of TLS", () => {
  const read = (common: object): AccessLogEntry | undefined =>
    readAccessLog(
      toBinary(
        StreamAccessLogsMessageSchema,
        create(StreamAccessLogsMessageSchema, {
          logEntries: {
            case: "tcpLogs",
            value: { logEntry: [{ commonProperties: common }] },
          },
        }),
      ),
    ).entries[0];
  assert.equal(read({ upstreamCluster: "inbound|80" })?.hasProven, true);
  assert.equal(read({ customTags: { hs: "1200" } })?.hasProven, true);
  assert.equal(read({ customTags: { chain: "mtls-tcp" } })?.hasProven, false);
  const reset = "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer";
  assert.equal(read({ downstreamTransportFailureReason: reset })?.hasTlsError, false);
});

test("refuses a part of a message, and never hangs", () => {
  const one = fc.sample(entry, { numRuns: 1, seed: 1 });
  const octets = encode(one, "web-0");
  for (let end = 1; end < octets.length; end++) {
    try {
      const read = readAccessLog(octets.subarray(0, end));
      assert.deepEqual(read, { nodeId: "web-0", entries: [] });
    } catch (error) {
      assert.ok(error instanceof Error);
    }
  }
});

test("refuses a message of more entries than any Envoy sends", () => {
  const [one] = fc.sample(entry, { numRuns: 1, seed: 1 });
  assert(one);
  const many = (count: number) =>
    encode(
      Array.from({ length: count }, () => one),
      undefined,
    );
  assert.equal(readAccessLog(many(8_192)).entries.length, 8_192);
  assert.throws(() => readAccessLog(many(8_193)), RangeError);
});

test("takes any octets without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        readAccessLog(octets);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});

/** With fields that are not looked at, before and after. */
function encode(entries: readonly AccessLogEntry[], nodeId: string | undefined): Uint8Array {
  const message = create(StreamAccessLogsMessageSchema, {
    ...(nodeId !== undefined && { identifier: { node: { id: nodeId, cluster: "shop" } } }),
    logEntries: { case: "tcpLogs", value: { logEntry: entries.map(entryInit) } },
  });
  const unknown = new BinaryWriter().tag(99, WireType.LengthDelimited).bytes(new Uint8Array(9));
  const octets = toBinary(StreamAccessLogsMessageSchema, message);
  return Buffer.concat([unknown.tag(98, WireType.Varint).uint32(7).finish(), octets]);
}

function entryInit(entry: AccessLogEntry) {
  const timeOf = (all: number) => ({
    seconds: BigInt(Math.floor(all / 1_000)),
    nanos: (all % 1_000) * 1_000_000,
  });
  const addressOf = (address: string, portValue: number) => ({
    address: {
      case: "socketAddress" as const,
      value: { address, portSpecifier: { case: "portValue" as const, value: portValue } },
    },
  });
  const { chain, id, userAgent, hasProven, peerUri } = entry;
  const named = (value: string) => ({ san: { case: "uri" as const, value } });
  return {
    commonProperties: {
      downstreamLocalAddress: addressOf("10.0.0.1", entry.port),
      downstreamDirectRemoteAddress: addressOf(entry.address, 40_000),
      startTime: timeOf(entry.beganMs),
      duration: timeOf(entry.lastedMs),
      responseFlags: { noRouteFound: entry.hasNoRoute },
      customTags: { chain, cx: id, ua: userAgent, more: "x", ...(hasProven && { hs: "12" }) },
      tlsProperties: {
        tlsSniHostname: entry.hasServerName ? "app.test" : "",
        peerCertificateProperties: {
          subjectAltName: peerUri === "" ? [] : [named(peerUri), named("another")],
        },
      },
      downstreamTransportFailureReason: entry.hasTlsError
        ? "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"
        : "",
      accessLogType: entry.isEnd ? AccessLogType.NotSet : AccessLogType.DownstreamStart,
    },
  };
}
