import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flush } from "../policy/draining.ts";
import { countsOf } from "./connection-stats.ts";

const stats: Readonly<Record<string, number>> = {
  "server.uptime": 12,
  "listener_manager.listener_removed": 1,
  "listener.inbound_80.downstream_cx_destroy": 9,
  "listener.inbound_80.no_filter_chain_match": 3,
  "listener.inbound_80.downstream_listener_filter_remote_close": 100,
  "listener.inbound_80.worker_0.downstream_cx_total": 100,
  "listener.inbound_80.worker_0.downstream_cx_active": 100,
  "tcp.inbound_80.plaintext-tcp.downstream_cx_total": 6,
  "connection_limit.inbound_80.plaintext-tcp.active_connections": 2,
  "http.inbound_80.mtls-http.downstream_cx_destroy": 5,
  "http.inbound_80.mtls-http.downstream_cx_active": 1,
  "http.inbound_80.mtls-http.downstream_cx_total": 100,
  "http.inbound_8080.plaintext-http.downstream_cx_active": 4,
  "listener.outbound_80.downstream_cx_destroy": 100,
};

test("tells of each chain how many have ended and are open, and of who found none", () => {
  const counts = countsOf(flush(stats), undefined);
  assert.deepEqual(
    [counts?.takenMs, counts?.uptimeSeconds, counts?.removedListeners],
    [17_000, 12, 1],
  );
  assert.deepEqual([...(counts?.ports.keys() ?? [])], [80, 8080]);
  assert.deepEqual(counts?.ports.get(80), {
    ended: 12,
    chains: new Map([
      ["", { ended: 3, open: 0 }],
      ["plaintext-tcp", { ended: 4, open: 2 }],
      ["mtls-http", { ended: 5, open: 1 }],
    ]),
  });
});

test("tells of each port that it listens on, called or not, and of no other", () => {
  const ports = countsOf(flush(stats), new Set([80, 90]))?.ports;
  assert.deepEqual([...(ports?.keys() ?? [])], [80, 90]);
  assert.deepEqual(ports?.get(90), { ended: 0, chains: new Map() });
});

test("says nothing of an Envoy whose age is not known", () => {
  assert.equal(countsOf(flush({}), undefined), undefined);
});

const noCounts = [NaN, -1, 0.5, Infinity, 2 ** 53] as const;
const counters = [
  "server.uptime",
  "listener.inbound_80.downstream_cx_destroy",
  "listener.inbound_80.no_filter_chain_match",
  "tcp.inbound_80.plaintext-tcp.downstream_cx_total",
  "connection_limit.inbound_80.plaintext-tcp.active_connections",
] as const;

for (const counter of counters) {
  test(`says nothing where ${counter} is no count`, () => {
    for (const value of noCounts) {
      assert.equal(countsOf(flush({ ...stats, [counter]: value }), undefined), undefined);
    }
  });
}

test("says nothing of an Envoy that began before 1970, or of a time after the year 9999", () => {
  const isTaken = (takenMs: number, uptime: number): boolean =>
    countsOf(flush({ "server.uptime": uptime }, takenMs), undefined) !== undefined;
  assert.ok(isTaken(17_000, 17));
  assert.ok(!isTaken(17_000, 18));
  assert.ok(!isTaken(17_000, 1e12));
  assert.ok(isTaken(253_402_300_799_999, 0));
  for (const takenMs of [253_402_300_800_000, NaN, -1]) assert.ok(!isTaken(takenMs, 0));
});

test("leaves out ports that there are none", () => {
  const ports = [0, 1, 65_535, 65_536, 99_999];
  const named = ports.map((port) => [`listener.inbound_${port}.downstream_cx_destroy`, 1]);
  const counts = countsOf(flush({ "server.uptime": 1, ...Object.fromEntries(named) }), undefined);
  assert.deepEqual([...(counts?.ports.keys() ?? [])], [1, 65_535]);
});

function flush(all: Readonly<Record<string, number>>, takenMs = 17_000): Flush {
  return { takenMs, stats: new Map(Object.entries(all)) };
}
