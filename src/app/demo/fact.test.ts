import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLogLine, type Fact, type ProgramName } from "./fact.ts";

const time = "2026-11-24T18:10:43.788Z";
const atMs = Date.parse(time);

test("reads from the programs' lines what the demo tells", () => {
  const table: readonly (readonly [ProgramName, object, Fact])[] = [
    [
      "control plane",
      { event: "ready", ca: "127.0.0.1:1" },
      { kind: "ready", atMs, address: "127.0.0.1:1" },
    ],
    [
      "control plane",
      { event: "certificate-issued", serial: "0a", spiffeId: "spiffe://td/a", notAfter: time },
      { kind: "signed", atMs, serial: "0a", spiffeId: "spiffe://td/a", notAfterMs: atMs },
    ],
    [
      "client agent",
      { event: "agent-started", serial: "0a" },
      { kind: "agent-started", atMs, workload: "client", serial: "0a" },
    ],
    [
      "server agent",
      { event: "agent-started" },
      { kind: "agent-started", atMs, workload: "server", serial: undefined },
    ],
    [
      "server agent",
      { event: "renewal-failed", attempt: 3 },
      { kind: "renewal-failed", atMs, workload: "server", attempt: 3 },
    ],
    [
      "client agent",
      { event: "certificate-expired", serial: "0a" },
      { kind: "expired", atMs, workload: "client", serial: "0a" },
    ],
    [
      "client agent",
      { event: "secret-acked", name: "default", serial: "0a" },
      { kind: "acked", atMs, workload: "client", secret: "default", serial: "0a" },
    ],
    [
      "server agent",
      { event: "secret-nacked", name: "ROOTCA", detail: "no" },
      { kind: "nacked", atMs, workload: "server", secret: "ROOTCA", detail: "no" },
    ],
  ];
  for (const [program, line, want] of table) {
    assert.deepEqual(parseLogLine(program, JSON.stringify({ time, ...line })), want);
  }
});

test("passes over lines that it has no use for, whatever they are", () => {
  const ready = { event: "ready", ca: "127.0.0.1:1" };
  const lines = ["", "text", "null", "[]", "7", "{", JSON.stringify({ time, event: "draining" })];
  for (const line of [...lines, JSON.stringify(ready), JSON.stringify({ ...ready, time: 7 })]) {
    assert.equal(parseLogLine("control plane", line), undefined, line);
    assert.equal(parseLogLine("client agent", line), undefined, line);
  }
});
