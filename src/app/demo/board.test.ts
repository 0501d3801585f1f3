import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { boardLine, boardLines, type BoardView, type Holder } from "./board.ts";
import { painter } from "./paint.ts";
import { tlsCounters } from "./tls-counters.ts";

const nowMs = Date.parse("2026-11-24T18:10:43Z");

const holder: Holder = {
  certificate: { serialHex: "0123456789abcdef", notAfterMs: nowMs + 15_000 },
  renewals: { acked: 12, used: 11 },
  tls: tlsCounters(new Map([["s.handshake", 5_500]]), "s"),
};

const view: BoardView = {
  nowMs,
  phase: "Portcullis demo, seed 4294967295: 23 of 55 s of traffic",
  controlPlane: { isUp: false, certificatesSigned: 9 },
  leafMs: 30_000,
  holders: { client: holder, server: { ...holder, certificate: undefined, tls: undefined } },
  requests: { sent: 123_456, failed: 0 },
  latencyMs: { p50: 12.34, p99: 3_000 },
};

test("shows who holds which serial until when", () => {
  const lines = boardLines(view, painter(false));
  assert.match(lines[1] ?? "", /control plane +DEAD, 9 certificates signed/);
  assert.match(
    lines[2] ?? "",
    /client Envoy +01234567 until 18:10:58 █{10}░{10} 15 s +renewals: 12 ACKed/,
  );
  assert.match(lines[3] ?? "", /server Envoy +no certificate yet/);
});

test("never is wider than 100 columns, in colour or not", () => {
  for (const colour of [true, false]) {
    for (const line of boardLines(view, painter(colour))) {
      assert(stripVTControlCharacters(line).length <= 100, line);
      if (!colour) assert.equal(stripVTControlCharacters(line), line);
    }
  }
  assert(boardLine(view).length <= 92);
});

test("draws an expired certificate as an empty bar", () => {
  const certificate = { serialHex: "0123456789abcdef", notAfterMs: nowMs - 1_000 };
  const holders = { client: { ...holder, certificate }, server: holder };
  assert.match(boardLines({ ...view, holders }, painter(false))[2] ?? "", / ░{20} +0 s /);
});
