import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fact } from "./fact.ts";
import { Ledger } from "./ledger.ts";
import { painter } from "./paint.ts";
import { storyLine } from "./story.ts";

const startedMs = Date.parse("2026-11-24T18:10:00Z");
const serial = "0123456789abcdef";
const signed: Fact = {
  kind: "signed",
  atMs: startedMs + 1_000,
  serial,
  spiffeId: "spiffe://td/web",
  notAfterMs: startedMs + 31_000,
};
const acked: Fact = {
  kind: "acked",
  atMs: startedMs + 1_012,
  workload: "client",
  secret: "default",
  serial,
};

test("tells a certificate from its signature to its ACK, with the time in between", () => {
  assert.deepEqual(tellAll([signed, acked, { ...acked, atMs: startedMs + 9_000 }]), [
    " +1.0s  control plane  signed 01234567 for spiffe://td/web, until 18:10:31",
    " +1.0s  client Envoy   ACK default 01234567, 12 ms after it was signed",
    " +9.0s  client Envoy   ACK default 01234567, again on a new stream",
  ]);
});

test("tells an ACK also if its signature was lost with a killed process", () => {
  assert.deepEqual(tellAll([acked]), [" +1.0s  client Envoy   ACK default 01234567"]);
});

test("tells the first failure of a streak only", () => {
  const failed = (attempt: number): Fact => ({
    kind: "renewal-failed",
    atMs: startedMs,
    workload: "server",
    attempt,
  });
  assert.equal(tellAll([failed(0), failed(1), failed(2)]).length, 1);
});

test("lets no control character of a proxy reach the terminal", () => {
  const detail = "\u001B[2Jgone";
  const nack: Fact = {
    kind: "nacked",
    atMs: startedMs,
    workload: "client",
    secret: "default",
    detail,
  };
  assert.deepEqual(tellAll([nack]), [
    String.raw` +0.0s  client Envoy   refuses default (NACK), and keeps what it has: \u{1b}[2Jgone`,
  ]);
});

function tellAll(facts: readonly Fact[]): readonly string[] {
  const ledger = new Ledger();
  for (const fact of facts) ledger.take(fact);
  return facts.flatMap((fact) => storyLine(fact, ledger, startedMs, painter(false)) ?? []);
}
