import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { StreamMetricsMessageSchema } from "../../../gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import { readEnvoyMetrics } from "./envoy-metrics-message.ts";

const wanted = [
  "connection_limit.inbound_80.plaintext-tcp.active_connections",
  "http.inbound_80.plaintext-http.downstream_cx_active",
  "http.inbound_80.plaintext-http.downstream_cx_destroy",
  "listener.inbound_80.downstream_cx_destroy",
  "listener.inbound_80.no_filter_chain_match",
  "listener_manager.listener_removed",
  "listener_manager.total_listeners_warming",
  "server.uptime",
  "tcp.inbound_80.plaintext-tcp.downstream_cx_total",
];
const others = [
  "cluster.a.upstream_cx_active",
  "http.admin.downstream_cx_active",
  "http.inbound_80.plaintext-http.downstream_rq_active",
  "",
  "é",
];

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "summary";
  readonly value: number;
}

test("reads the gauges and counters that are wanted, and no other family", () => {
  const family = fc.record({
    name: fc.constantFrom(...wanted, ...others),
    type: fc.constantFrom("gauge", "counter", "summary"),
    value: fc.nat(),
  });
  const families = fc.uniqueArray(family, { selector: ({ name }) => name });
  fc.assert(
    fc.property(families, fc.option(fc.string(), { nil: undefined }), (all, nodeId) => {
      const read = readEnvoyMetrics(encode(all, nodeId));
      const kept = all.filter(({ name, type }) => wanted.includes(name) && type !== "summary");
      assert.deepEqual(read.stats, new Map(kept.map(({ name, value }) => [name, value])));
      assert.equal(read.nodeId, nodeId);
      assert.equal(read.takenMs, all.length === 0 ? undefined : 1_700);
    }),
  );
});

test("refuses a part of a message, or reads what is whole of it, and never hangs", () => {
  const octets = encode(
    wanted.map((name) => ({ name, type: "gauge", value: 1 })),
    "web-0",
  );
  for (let end = 0; end < octets.length; end++) {
    try {
      assert.ok(readEnvoyMetrics(octets.subarray(0, end)).stats.size < wanted.length);
    } catch (error) {
      assert.ok(error instanceof Error);
    }
  }
});

test("takes any octets without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        readEnvoyMetrics(octets);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});

test("refuses more of them than a policy's ports can have, since none may be left out", () => {
  const name = (at: number): string => `http.inbound_${at}.plaintext-http.downstream_cx_active`;
  const all = Array.from({ length: 16_385 }, (_, at) => ({
    name: name(at),
    type: "gauge" as const,
    value: 1,
  }));
  assert.equal(readEnvoyMetrics(encode(all.slice(1), undefined)).stats.size, 16_384);
  assert.throws(() => readEnvoyMetrics(encode(all, undefined)), RangeError);
});

function encode(families: readonly Family[], nodeId: string | undefined): Uint8Array {
  const message = create(StreamMetricsMessageSchema, {
    ...(nodeId !== undefined && { identifier: { node: { id: nodeId } } }),
    envoyMetrics: families.map(({ name, type, value }) => ({
      name,
      metric: [{ timestampMs: 1_700n, ...(type !== "summary" && { [type]: { value } }) }],
    })),
  });
  return toBinary(StreamMetricsMessageSchema, message);
}
