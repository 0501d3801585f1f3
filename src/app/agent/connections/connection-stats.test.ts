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
    [1_700, 12, 1],
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

function flush(all: Readonly<Record<string, number>>): Flush {
  return { takenMs: 1_700, stats: new Map(Object.entries(all)) };
}
