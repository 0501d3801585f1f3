import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortCounts } from "./connection-counts.ts";
import { ConnectionPorts } from "./connection-ports.ts";
import { newLife } from "./envoy-life.ts";

const startMs = 1_000_000_000;

for (const [told, beginMs] of [
  [16_000, 0],
  [17_000, 1_000],
] as const) {
  test(`a port of which ${told} ends come before its account begins is covered from ${beginMs} ms on, others from the start`, () => {
    const ports = new ConnectionPorts();
    const flush = (atMs: number, ended: number) => {
      const chains = new Map([["plaintext-tcp", { ended, open: 0 }]]);
      const counts: PortCounts = { ended, chains };
      const nothing: PortCounts = { ended: 0, chains: new Map() };
      return {
        takenMs: startMs + atMs,
        uptimeSeconds: 0,
        removedListeners: 0,
        ports: new Map([
          [80, counts],
          [90, nothing],
        ]),
      };
    };
    const first = flush(0, 5);
    ports.begin(newLife(first), first.ports.keys());
    ports.flush(first, false);
    const endMs = startMs + 300;
    for (let at = 0; at < told; at++) {
      ports.tell(80, { chain: "plaintext-tcp", endMs, toldMs: endMs });
    }
    for (let atMs = 1_000; atMs <= 5_000; atMs += 1_000) ports.flush(flush(atMs, 5 + told), false);
    const covered = ports
      .take()
      .coverage.map(({ port, sinceMs, lostUnmeshed }) => [port, sinceMs - startMs, lostUnmeshed]);
    assert.deepEqual(
      covered.toSorted(([a = 0], [b = 0]) => a - b),
      [
        [80, beginMs, 0],
        [90, 0, 0],
      ],
    );
  });
}
